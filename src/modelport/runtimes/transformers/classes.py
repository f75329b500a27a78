"""What a classifier's logits mean: as transformers' own pipelines read its config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from modelport.core.semantics import OutputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, DType, bytes_tensor

__all__ = ["Classes", "class_names", "classes_of"]


@dataclass(frozen=True)
class Classes:
    """The outputs of a classifier or a regression, with their meaning."""

    names: tuple[str, ...]
    kind: str
    """`one` class is right, or `any` number of them, or none: the logits are the `values`."""

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The outputs."""
        if self.kind == "one":
            scores = TensorSpec("probabilities", DType.FP32, (None, len(self.names)))
            return TensorSpec("label", DType.BYTES, (None,)), scores
        name = "value" if self.kind == "values" else "probabilities"
        return (TensorSpec(name, DType.FP32, (None, len(self.names))),)

    @property
    def meanings(self) -> dict[str, OutputMeaning]:
        """What the outputs mean."""
        if self.kind == "one":
            return {
                "label": OutputMeaning(kind="label", classes=self.names),
                "probabilities": OutputMeaning(kind="probabilities", classes=self.names),
            }
        if self.kind == "any":
            meaning = OutputMeaning(kind="multilabel", classes=self.names)
            return {self.specs[0].name: meaning}
        several = len(self.names) > 1
        described = f"one number for each of {', '.join(self.names)}" if several else None
        return {self.specs[0].name: OutputMeaning(description=described)}

    def outputs(self, logits: Any) -> dict[str, Array]:
        """The outputs for the rows of `logits`, `[rows, classes]`."""
        if self.kind == "one":
            scores: Array = torch.softmax(logits, -1).numpy()
            best = scores.argmax(-1).tolist()
            labels = bytes_tensor((self.names[at].encode() for at in best), (len(best),))
            return {"label": labels, "probabilities": scores}
        numbers = logits if self.kind == "values" else torch.sigmoid(logits)
        return {self.specs[0].name: numbers.numpy()}


def classes_of(config: Any) -> Classes:
    """The classes of a network's config; one class, or several that may be right, are sigmoids."""
    names = class_names(config)
    if config.problem_type == "regression":
        return Classes(names, "values")
    several = config.problem_type == "multi_label_classification" or len(names) == 1
    return Classes(names, "any" if several else "one")


def class_names(config: Any) -> tuple[str, ...]:
    """The names in the order of the logits; their numbers where two have one name."""
    count = config.num_labels
    known = config.id2label or {}
    names = tuple(str(known.get(at, at)) for at in range(count))
    return names if len(set(names)) == count else tuple(map(str, range(count)))
