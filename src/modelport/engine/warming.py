"""The first runs of a model, and what its time is taken to grow with."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.signature import Signature
from modelport.core.tensors import Array, Batch
from modelport.engine.merging import join, part
from modelport.engine.opening import LoadedModel
from modelport.runtimes.base import Model, run_alone
from modelport.semantics.example import example_request, generated_row
from modelport.semantics.labels import Frames
from modelport.semantics.plain import read
from modelport.semantics.preparation import Prepared
from modelport.semantics.short import short_answer

__all__ = ["Warmed", "by_elements", "by_rows", "size_measure", "warm_up"]

_log = logging.getLogger(__name__)
_WARM_UP_RUNS = 5
_WARM_UP_BUDGET_S = 0.25
_LONGEST_TRY_S = 2.0
"""A model that takes longer for one row is not tried with several, and runs each request alone."""


def by_rows(inputs: Batch, rows: int) -> int:
    """The number of rows: the measure where all rows are of one shape."""
    return rows


def by_elements(inputs: Batch, rows: int) -> int:
    """The number of elements: the measure where a row may be of any length."""
    return sum(tensor.size for tensor in inputs.values())


def size_measure(signature: Signature) -> Callable[[Batch, int], int]:
    """What the cost of a request is taken to grow with."""
    shapes = [spec.row_shape if signature.lockstep else spec.shape for spec in signature.inputs]
    return by_elements if any(None in shape for shape in shapes) else by_rows


@dataclass(frozen=True)
class Warmed:
    """What the first runs of a model showed."""

    seconds_per_unit: float
    """Of size."""
    runs: tuple[tuple[Batch, int, float], ...] = ()
    """Inputs, rows and seconds of what was measured."""
    merges: bool = False
    """Whether requests may share a batch: each row of one is answered as if it were alone."""
    pads: bool = False
    """Whether that holds for rows of different lengths, padded as the owner says."""
    answer: str | None = None
    """What it answered to its owner's example, in short; None where it has none."""


def warm_up(loaded: LoadedModel, size_of: Callable[[Batch, int], int]) -> Warmed:
    """Run the owner's example, else a generated row, a few times, and then rows together.

    A generated row may be one that the model refuses: that is logged, and 1 second assumed.

    Raises:
        ConfigError: the model does not take the owner's own example.
    """
    generated = not loaded.semantics.examples
    try:
        single, prepared = _first(loaded)
        batch = prepared.inputs
        rows = loaded.view.signature.check(batch)
        if loaded.model.description.execution == "async":
            # It would need an event loop; asynchronous models never run in place anyway.
            return Warmed(1.0)
        seconds, outputs = _timed(loaded.model, batch)
    except Exception as error:
        if generated:
            _log.warning("the model did not take a generated row to warm up with: %s", error)
            return Warmed(1.0)
        if isinstance(error, InvalidInput):
            raise ConfigError(f"example 1 of model.toml: {error.message}") from error
        raise
    merges = pads = False
    if loaded.view.signature.is_batched and seconds < _LONGEST_TRY_S * rows:
        row = {name: tensor[:1] for name, tensor in batch.items()}
        merges = _is_by_rows(loaded.model, row)
        pads = merges and bool(loaded.batching.padding.values) and _can_pad(loaded, row)
    answer = None if generated else _told(loaded, outputs, single, prepared.frames)
    return Warmed(seconds / size_of(batch, rows), ((batch, rows, seconds),), merges, pads, answer)


def _first(loaded: LoadedModel) -> tuple[bool, Prepared]:
    """Whether the first request is a single row, and its tensors."""
    if not loaded.semantics.examples:
        return True, Prepared(generated_row(loaded.view.signature))
    request = read(loaded.view, example_request(loaded.view))
    return request.single, loaded.prepared(request.inputs)


def _told(loaded: LoadedModel, outputs: Batch, single: bool, frames: Frames) -> str | None:
    try:
        return short_answer(loaded.view, loaded.answer(outputs, single, frames))
    except Exception as error:  # for want of a line on a card no version stays unserved
        _log.warning("the model's answer to its own example cannot be read: %s", error)
        return None


def _timed(model: Model, batch: Batch) -> tuple[float, Batch]:
    times: list[float] = []
    outputs: Batch = {}
    until = time.perf_counter() + _WARM_UP_BUDGET_S
    while len(times) < _WARM_UP_RUNS and time.perf_counter() < until:
        started = time.perf_counter()
        outputs = _run(model, batch)
        times.append(time.perf_counter() - started)
    return min(times), outputs  # the rest of a longer run was something else


def _run(model: Model, batch: Batch) -> Batch:
    answer = run_alone(model, batch)
    assert not inspect.isawaitable(answer)
    return answer


def _is_by_rows(model: Model, row: Batch) -> bool:
    """Whether rows together are answered as each is alone.

    Many files say that they take any number of rows, and then have a fixed one inside, or compute
    over all rows: their requests never share a batch.
    """
    other = {name: _varied(tensor) for name, tensor in row.items()}
    try:
        alone = [_run(model, row), _run(model, other)]
        together = _run(
            model, {name: np.concatenate([row[name], other[name], row[name]]) for name in row}
        )
        return all(
            tensor.shape[0] == 3
            and all(_is_same(tensor[at : at + 1], alone[at % 2][name]) for at in range(3))
            for name, tensor in together.items()
        )
    except Exception as error:
        _log.info("requests do not share batches: %s", error)
        return False


def _can_pad(loaded: LoadedModel, row: Batch) -> bool:
    """Whether rows of two lengths, padded as the owner says, are answered as each is alone."""
    signature, padding = loaded.view.signature, loaded.batching.padding
    longest = max(size for name in padding.values for size in row[name].shape[1:])
    # No longer than the example: there may be a longest row that the model takes.
    rows = [_of_length(loaded, row, max(least, longest + least - 3)) for least in (2, 3)]
    try:
        alone = [_run(loaded.model, each) for each in rows]
        outputs = _run(loaded.model, join(signature, rows, padding).batch)
        parts = part(signature, outputs, rows, [1, 1], padding)
        wrong = [
            n
            for own, given in zip(alone, parts, strict=True)
            for n in own
            if not _is_same(given[n], own[n])
        ]
    except Exception as error:
        _log.warning("rows of different lengths do not share batches: %s", error)
        return False
    if wrong:
        _log.warning(
            "rows of different lengths do not share batches: padded together, '%s' is not what it"
            " is for each row alone; look at pad, mask_of and cut_like in model.toml",
            wrong[0],
        )
    return not wrong


def _of_length(loaded: LoadedModel, row: Batch, length: int) -> Batch:
    """The row with its padded inputs of another length."""
    longer = dict(row)
    for spec in loaded.view.signature.inputs:
        if spec.name in loaded.batching.padding.values:
            shape = (1, *(length if size is None else size for size in spec.shape[1:]))
            longer[spec.name] = np.resize(row[spec.name], shape)
    return longer


def _varied(tensor: Array) -> Array:
    """Another row: other numbers, next to those that are there; texts stay as they are."""
    if tensor.dtype.kind == "b":
        return np.logical_not(tensor)
    if tensor.dtype.kind in "iu":
        numbers: Any = tensor
        varied: Array = np.where(numbers > 0, numbers - 1, numbers + 1).astype(tensor.dtype)
        return varied
    if tensor.dtype.kind != "f":
        return tensor
    return (tensor.astype(np.float64) * 0.75 + 0.125).astype(tensor.dtype)


def _is_same(one: Array, other: Array) -> bool:
    if one.shape != other.shape or one.dtype.kind not in "fc":
        return bool(np.array_equal(one, other))
    largest = float(np.nanmax(np.abs(other), initial=0.0))
    return bool(np.allclose(one, other, rtol=0, atol=1e-3 * largest, equal_nan=True))
