"""Hugging Face folders, run by transformers and PyTorch. Grade: silver.

`runtime` reads a transformers folder: text classification, token classification, feature
extraction and image classification, told by `architectures` in its `config.json`. `sentence` reads
a sentence-transformers folder, without that library: its steps are few, and so no class is
imported that a file names. Only safetensors weights, architectures and modules on reviewed lists
and plain files are read; code of the folder's own, adapters, quantisation and parts that would be
fetched are refused. Everything runs on the CPU in float32.
"""
