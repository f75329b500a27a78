"""What flows through the server: one request and its answer, whatever the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from modelport.core.tensors import Batch

__all__ = ["PRIORITIES", "Frame", "InferRequest", "InferResponse", "Parameter", "Priority"]

Parameter: TypeAlias = bool | int | float | str
Priority: TypeAlias = Literal["low", "normal", "high"]
"""What a request gets in proportion to others: 1, 4 or 16 parts; none waits for ever."""
PRIORITIES: Mapping[str, Priority] = {"low": "low", "normal": "normal", "high": "high"}
"""By their words, from the lowest on."""


class Frame(msgspec.Struct, frozen=True):
    """Where a picture lies in the tensor that was made of it.

    A place `x` of the tensor, in its pixels, is `(x - left) / scale_x` of the picture's own.
    """

    width: int
    """Of the picture, in its own pixels."""
    height: int
    tensor_width: int
    tensor_height: int
    scale_x: float
    scale_y: float
    left: float = 0.0
    """Where the picture's own corner lies; below zero where its edges were cut off."""
    top: float = 0.0


class InferRequest(msgspec.Struct, kw_only=True):
    """Named tensors for one model, as a transport decoded them."""

    inputs: Batch
    outputs: tuple[str, ...] = ()
    """The outputs wanted, in order; empty means all."""
    is_checked: bool = False
    """Whether the transport looked at ranges and choices, as it may while it decodes."""
    deadline: float | None = None
    """The absolute `time.monotonic()` after which nobody wants the answer; None means never."""
    frames: Mapping[str, tuple[Frame, ...]] = {}
    """By source: where its pictures lie in the tensors that were made of them."""
    caller: str = ""
    """Who asks; each caller has a fair share."""
    priority: Priority = "normal"
    parameters: Mapping[str, Parameter] = {}
    """What the protocol lets a caller add for the model; empty where the model takes none."""


class InferResponse(msgspec.Struct, kw_only=True):
    """The model's named tensors, in the order asked for."""

    model: str
    version: str
    outputs: Batch
    rows: int = 1
    """How many rows were asked for; 1 where the model knows no rows."""
    frames: Mapping[str, tuple[Frame, ...]] = {}
    """Those of the request."""
    batch_rows: int = 0
    """How many rows ran together, those of other requests counted; 0: these alone."""
    queue_s: float = 0.0
    """Seconds between the arrival at the engine and the start of the run."""
    run_s: float = 0.0
    """Seconds that the model took."""
