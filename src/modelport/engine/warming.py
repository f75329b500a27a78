"""The first runs of a model, and what its time is taken to grow with."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable

import numpy as np

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.signature import Signature
from modelport.core.tensors import Batch
from modelport.engine.opening import LoadedModel
from modelport.runtimes.base import Model
from modelport.semantics.example import example_request, generated_row
from modelport.semantics.plain import read

__all__ = ["by_elements", "by_rows", "size_measure", "warm_up"]

_log = logging.getLogger(__name__)
_WARM_UP_RUNS = 5
_WARM_UP_BUDGET_S = 0.25


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


def warm_up(loaded: LoadedModel, size_of: Callable[[Batch, int], int]) -> float:
    """Run the owner's example, else a generated row, a few times; the seconds per unit of size.

    A generated row may be one that the model refuses: that is logged, and 1 second assumed.

    Raises:
        ConfigError: the model does not take the owner's own example.
    """
    generated = not loaded.semantics.examples
    try:
        batch = (
            generated_row(loaded.view.signature)
            if generated
            else loaded.prepared(read(loaded.view, example_request(loaded.view)).inputs).inputs
        )
        rows = loaded.view.signature.check(batch)
        return _timed(loaded.model, batch) / size_of(batch, rows)
    except Exception as error:
        if generated:
            _log.warning("the model did not take a generated row to warm up with: %s", error)
            return 1.0
        if isinstance(error, InvalidInput):
            raise ConfigError(f"example 1 of model.toml: {error.message}") from error
        raise


def _timed(model: Model, batch: Batch) -> float:
    if model.description.execution == "async":
        return 1.0  # it would need an event loop; asynchronous models never run in place anyway
    times: list[float] = []
    until = time.perf_counter() + _WARM_UP_BUDGET_S
    while len(times) < _WARM_UP_RUNS and time.perf_counter() < until:
        started = time.perf_counter()
        answer = model.predict(batch)
        assert not inspect.isawaitable(answer)
        times.append(time.perf_counter() - started)
    return float(np.median(times))
