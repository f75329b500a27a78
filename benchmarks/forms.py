"""The tensors of each workload, for the protocols that name them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["INPUTS", "OUTPUTS", "Tensor"]


@dataclass(frozen=True)
class Tensor:
    """A tensor of one row, in the words of the Open Inference Protocol."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """Without the row."""


INPUTS = {
    "linear": (Tensor("x", "FP64", (3,)),),
    "tabular": (Tensor("X", "FP32", (30,)),),
    "image": (Tensor("x", "FP32", (3, 224, 224)),),
    "transformer": (
        Tensor("input_ids", "INT64", (32,)),
        Tensor("attention_mask", "INT64", (32,)),
    ),
}
OUTPUTS = {
    "linear": (Tensor("y", "FP64", (1,)),),
    "tabular": (Tensor("label", "INT64", ()), Tensor("probabilities", "FP32", (2,))),
    "image": (Tensor("y", "FP32", (1000,)),),
    "transformer": (Tensor("embedding", "FP32", (384,)),),
}
