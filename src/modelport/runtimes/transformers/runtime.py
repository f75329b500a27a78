"""A transformers folder, by the task that its `config.json` tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
import transformers

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.semantics import Image, OutputMeaning, Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, Batch, DType, bytes_tensor
from modelport.runtimes.base import Description, LoadOptions, Model, Runtime
from modelport.runtimes.transformers.classes import Classes, class_names, classes_of
from modelport.runtimes.transformers.embedding import POOLINGS, embedding_head
from modelport.runtimes.transformers.entities import entities
from modelport.runtimes.transformers.folder import (
    IMAGE_TYPES,
    TEXT_TYPES,
    check_folder,
)
from modelport.runtimes.transformers.library import VERSIONS, load_network, load_tokenizer
from modelport.runtimes.transformers.pictures import image_source
from modelport.runtimes.transformers.text import (
    TEXT,
    Encoded,
    Head,
    TextModel,
    Tokens,
    max_tokens,
)

__all__ = ["RUNTIME"]


def _load(path: Path, options: LoadOptions) -> Model:
    torch.set_num_threads(options.threads)
    config = check_folder(path)
    architecture = str(next(iter(config.get("architectures") or ()), ""))
    known = TEXT_TYPES if config["model_type"] in TEXT_TYPES else IMAGE_TYPES
    for ending, (types, make) in _TASKS.items():
        if architecture.endswith(ending) and types is known:
            return make(path)
    raise UnsupportedModel(
        f"the architecture {architecture!r} in config.json is not served; those are, of the types"
        " of model that are: text and token classification (…ForSequenceClassification,"
        " …ForTokenClassification), image classification (…ForImageClassification) and, of texts,"
        " feature extraction (…Model)"
    )


RUNTIME = Runtime(name="transformers", load=_load)


def _text_classifier(path: Path) -> Model:
    network = load_network(transformers.AutoModelForSequenceClassification, path)
    classes = classes_of(network.config)

    def head(encoded: Encoded) -> dict[str, Array]:
        return classes.outputs(network(**encoded.fields).logits)

    return _text_model(path, network, head, classes.specs, classes.meanings)


def _token_classifier(path: Path) -> Model:
    network = load_network(transformers.AutoModelForTokenClassification, path)
    labels = class_names(network.config)

    def head(encoded: Encoded) -> dict[str, Array]:
        scores = torch.softmax(network(**encoded.fields).logits, -1).numpy()
        rows = zip(encoded.texts, scores, encoded.offsets, encoded.special, strict=True)
        spans = [msgspec.json.encode(entities(*row, labels)) for row in rows]
        return {"entities": bytes_tensor(spans, (len(spans),))}

    meaning = OutputMeaning(
        kind="json",
        description="A list of {entity, start, end, score, text}, in characters of the text",
    )
    specs = (TensorSpec("entities", DType.BYTES, (None,)),)
    return _text_model(path, network, head, specs, {"entities": meaning})


def _embedder(path: Path) -> Model:
    network = load_network(transformers.AutoModel, path, unused="pooler")
    head = embedding_head(network, [POOLINGS["mean"]])
    specs = (TensorSpec("embedding", DType.FP32, (None, network.config.hidden_size)),)
    note = "An embedding is the mean of the vectors of a text's tokens."
    return _text_model(path, network, head, specs, {}, note)


def _text_model(
    path: Path,
    network: Any,
    head: Head,
    outputs: tuple[TensorSpec, ...],
    meanings: Mapping[str, OutputMeaning],
    *notes: str,
) -> Model:
    tokenizer = load_tokenizer(path)
    limit = max_tokens(tokenizer, network)
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        raise CorruptModel("the folder's tokenizer has more tokens than the model has vectors for")
    description = Description(
        runtime=VERSIONS,
        signature=Signature((TEXT,), outputs),
        semantics=Semantics(outputs=meanings),
        notes=(f"Texts are cut at {limit} tokens.", *notes),
    )
    return TextModel(Tokens(tokenizer, limit), head, description)


def _image_classifier(path: Path) -> Model:
    network = load_network(transformers.AutoModelForImageClassification, path)
    return _ImageModel(network, classes_of(network.config), image_source(path, "pixel_values"))


class _ImageModel:
    """A network of images, which come as files or scaled and normalised already."""

    def __init__(self, network: Any, classes: Classes, picture: Image | None) -> None:
        self._network = network
        self._classes = classes
        taken = "Pictures are prepared as preprocessor_config.json says."
        untold = "How pictures become pixel_values is not told: model.toml can say it."
        self.description = Description(
            runtime=VERSIONS,
            signature=Signature((_pixels(network.config),), classes.specs),
            semantics=Semantics(
                sources={} if picture is None else {"image": picture}, outputs=classes.meanings
            ),
            notes=(untold if picture is None else taken,),
        )

    def predict(self, batch: Batch) -> Batch:
        """Run the network."""
        with torch.inference_mode():
            logits = self._network(torch.tensor(batch["pixel_values"])).logits
            return self._classes.outputs(logits)

    def close(self) -> None:
        """Give the weights' memory back."""
        vars(self).pop("_network", None)


def _pixels(config: Any) -> TensorSpec:
    size = getattr(config, "image_size", None)
    height, width = size if isinstance(size, list | tuple) else (size, size)
    channels = getattr(config, "num_channels", 3)
    return TensorSpec("pixel_values", DType.FP32, (None, channels, height, width))


_TASKS: dict[str, tuple[frozenset[str], Callable[[Path], Model]]] = {
    "ForSequenceClassification": (TEXT_TYPES, _text_classifier),
    "ForTokenClassification": (TEXT_TYPES, _token_classifier),
    "ForImageClassification": (IMAGE_TYPES, _image_classifier),
    "Model": (TEXT_TYPES, _embedder),
}
"""By how the name of an architecture ends."""
