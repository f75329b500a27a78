"""From what a person gives to what a model takes: pictures, texts and recordings as tensors.

One `Preparation` for each source that is declared. They stand between every protocol and the
model, in one place: a request may hold a source or the tensors that it would fill.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from modelport.core.errors import ConfigError, DeadlineExceeded, InvalidInput
from modelport.core.messages import Frame
from modelport.core.signature import Signature
from modelport.core.tensors import Array, Batch
from modelport.semantics.fields import InputField
from modelport.semantics.toml_tables import wrong

__all__ = ["LONG", "Check", "Preparation", "Prepared", "Preparer", "unfit"]

LONG = 4096
"""What may be prepared at once, in bytes: more text than this takes milliseconds."""
_ELEMENT = 64
"""What an element counts for besides its bytes; an empty text takes its time, too."""

Check = Callable[[], None]
"""Raises `DeadlineExceeded` when nobody waits for the answer any more."""


class Prepared(NamedTuple):
    """The tensors of a request, and where its pictures lie in them."""

    inputs: Batch
    frames: Mapping[str, tuple[Frame, ...]] = {}
    """By source: one for each of its pictures."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How some sources fill some tensors."""

    fields: tuple[InputField, ...]
    """The sources; several where they are columns of one tensor."""
    run: Callable[[Batch, Check], Prepared]
    """From a tensor for each source to those that they fill. Raises `InvalidInput`; calls the
    check now and then where it takes long."""
    short_bytes: int
    """Up to this many bytes, an element counted for 64 more, it is done on the event loop."""

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the tensors that are filled."""
        return self.fields[0].fills


class Preparer:
    """All preparations of one model."""

    def __init__(
        self,
        parts: Sequence[Preparation],
        signature: Signature,
        masks: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            parts: the sources.
            signature: the model's.
            masks: by tensor: the one that it is the mask of.
        """
        self._parts = parts
        self._masks = masks or {}
        self._sources = {field.name: field for part in parts for field in part.fields}
        self._own = {spec.name: spec for spec in signature.inputs}

    def applies(self, inputs: Batch) -> bool:
        """Whether a request holds a source, or lacks a mask that can be made."""
        return any(self._is_source(name, tensor) for name, tensor in inputs.items()) or any(
            mask not in inputs and original in inputs for mask, original in self._masks.items()
        )

    def is_short(self, inputs: Batch) -> bool:
        """Whether it takes less time than a hand-over to a thread."""
        return all(
            _size(inputs[field.name]) <= part.short_bytes
            for part in self._parts
            for field in part.fields
            if field.name in inputs
        )

    def __call__(self, inputs: Batch, deadline: float | None = None) -> Prepared:
        """The request with every source in it turned into tensors.

        Args:
            inputs: the request.
            deadline: the `time.monotonic()` after which it is given up.

        Raises:
            InvalidInput: names the source and the row, what came and what would be right.
            DeadlineExceeded: the deadline passed.
        """

        def check() -> None:
            if deadline is not None and time.monotonic() > deadline:
                raise DeadlineExceeded("the deadline passed while the request was prepared")

        tensors = dict(inputs)
        frames: dict[str, tuple[Frame, ...]] = {}
        for part in self._parts:
            given = [
                f.name
                for f in part.fields
                if f.name in inputs and self._is_source(f.name, inputs[f.name])
            ]
            if not given:
                continue
            self._check(part, inputs, given)
            made = part.run({name: tensors.pop(name) for name in given}, check)
            tensors |= made.inputs
            frames |= made.frames
        for mask, original in self._masks.items():
            if mask not in tensors and original in tensors:
                # All of it is real; what a batch is filled up with later is not.
                tensors[mask] = np.ones(tensors[original].shape, self._own[mask].dtype.numpy)
        return Prepared(tensors, frames)

    def _is_source(self, name: str, tensor: Array) -> bool:
        if name not in self._sources:
            return False
        own = self._own.get(name)
        return own is None or tensor.dtype != own.dtype.numpy

    def _check(self, part: Preparation, inputs: Batch, given: Sequence[str]) -> None:
        missing = [field.name for field in part.fields if field.name not in given]
        if missing:
            raise InvalidInput(
                f"'{missing[0]}' is missing; it goes with '{given[0]}'", tensor=missing[0]
            )
        for name in part.tensors:
            if name in inputs and name not in given:
                raise InvalidInput(
                    f"'{name}' is given twice: alone, and as '{given[0]}', which fills it",
                    tensor=name,
                )
        for field in part.fields:
            field.tensor.check(inputs[field.name])
        counts = {field.name: inputs[field.name].shape[:1] for field in part.fields}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"'{n}' has {c[0] if c else 1}" for n, c in list(counts.items())[:5])
            raise InvalidInput(f"all columns need the same number of rows: {listed}")


def unfit(name: str, problem: str) -> ConfigError:
    """The error for a source that does not go with its model."""
    return wrong(f"inputs.{name}", problem)


def _size(tensor: Array) -> int:
    own = sum(map(len, tensor.ravel().tolist())) if tensor.dtype == object else tensor.nbytes
    return int(own + _ELEMENT * tensor.size)
