"""How requests of one version share batches, as far as its owner says.

`model.toml` comes before `config.pbtxt`, and both come before the server's settings. None of it has
to be said: how many rows a batch takes is measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from modelport.core.signature import Signature, TensorSpec, show_shape
from modelport.core.tensors import DType
from modelport.engine.limits import Limits
from modelport.engine.merging import Padding
from modelport.repository.triton import TritonConfig
from modelport.semantics.inputs import is_value_of
from modelport.semantics.model_toml import ModelToml
from modelport.semantics.toml_tables import wrong

__all__ = ["Batching", "batching_of"]

_UNITS_S = {"ms": 0.001, "s": 1.0}


@dataclass(frozen=True, kw_only=True)
class Batching:
    """What is said of one version's batches; where nothing is, the server's bounds hold."""

    enabled: bool = True
    """Whether requests may share one."""
    rows: int | None = None
    """Most rows of one."""
    objective_s: float | None = None
    """The seconds within which nearly all requests are to be answered; 0: no such aim."""
    padding: Padding = field(default_factory=Padding)
    """How rows of different lengths share one."""

    def limits(self, server: Limits, *, merges: bool, at_once: int) -> Limits:
        """The bounds of the version's scheduler.

        Args:
            server: what holds where nothing is said.
            merges: whether the model answers rows together as it does alone.
            at_once: most runs at the same time.
        """
        objective_s = server.objective_s if self.objective_s is None else self.objective_s
        return replace(
            server,
            rows=server.rows if self.rows is None else self.rows,
            objective_s=objective_s or None,
            merges=merges and self.enabled and self.rows != 1,
            at_once=at_once,
        )


def batching_of(toml: ModelToml, config: TritonConfig | None, signature: Signature) -> Batching:
    """What is said of a model's batches.

    Raises:
        ConfigError: it does not go with the model; names the table, the key and what would be
            right.
    """
    said, most = toml.batching, None if config is None else config.max_batch_size
    if said.max_rows is not None and said.max_rows < 1:
        raise wrong("batching", f"max_rows is 1 or more, not {said.max_rows}")
    return Batching(
        enabled=most != 0 if said.enabled is None else said.enabled,
        rows=said.max_rows or most or None,
        objective_s=_seconds(said.objective),
        padding=_padding(toml, signature),
    )


def _seconds(objective: float | str | None) -> float | None:
    if objective is None:
        return None
    if isinstance(objective, str):
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s)", objective.strip())
        seconds = float(found[1]) * _UNITS_S[found[2]] if found else math.nan
    else:
        seconds = objective
    if not 0 <= seconds < math.inf:
        raise wrong(
            "batching",
            f'objective is a time, such as "50ms", "2s" or 0.05 (seconds), 0 for none; it is'
            f" {objective!r}",
        )
    return seconds


def _padding(toml: ModelToml, signature: Signature) -> Padding:
    values = dict(_values(toml, signature))
    return Padding(values, dict(_cuts(toml, signature, values)))


def _values(toml: ModelToml, signature: Signature) -> Iterator[tuple[str, float | bytes]]:
    for spec in signature.inputs:
        table = toml.inputs.get(spec.name)
        if table is None:
            continue
        original = toml.inputs.get(table.mask_of or "")
        value = table.pad
        if value is None and original is not None and original.pad is not None:
            value = False if spec.dtype is DType.BOOL else 0
        if value is not None:
            _check_pad(signature, spec, value)
            yield spec.name, value.encode() if isinstance(value, str) else value


def _check_pad(signature: Signature, spec: TensorSpec, value: object) -> None:
    table = f"inputs.{spec.name}"
    if not signature.is_batched:
        raise wrong(table, "pad goes with a model whose inputs and outputs have rows")
    if None not in spec.row_shape:
        raise wrong(
            table,
            f"pad goes with rows of any length, and the shape {show_shape(spec.shape)} has no free"
            " dimension after the first",
        )
    if not is_value_of(spec.dtype, value):
        raise wrong(table, f"pad = {value!r} is no value of {spec.dtype.value}")


def _cuts(
    toml: ModelToml, signature: Signature, values: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    inputs = {spec.name: spec for spec in signature.inputs}
    for spec in signature.outputs:
        table = toml.outputs.get(spec.name)
        if table is None or table.cut_like is None:
            continue
        where, like = f"outputs.{spec.name}", inputs.get(table.cut_like)
        if like is None or like.name not in values:
            padded = ", ".join(map(repr, values)) or "there are none: [inputs.NAME] pad = 0"
            raise wrong(
                where,
                f"cut_like is the name of an input that is padded ({padded}), and not"
                f" {table.cut_like!r}",
            )
        both = zip(spec.shape[1:], like.shape[1:], strict=False)
        if not any(own is None and theirs is None for own, theirs in both):
            raise wrong(
                where,
                f"cut_like = {like.name!r}: no dimension of {show_shape(spec.shape)} is free where"
                f" one of {show_shape(like.shape)} is",
            )
        yield spec.name, like.name
