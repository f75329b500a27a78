"""The vocabulary: errors, tensors, messages, signatures, semantics, settings. No I/O."""
