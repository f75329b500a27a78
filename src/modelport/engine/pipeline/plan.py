"""The plan by which a pipeline runs: its steps, and what connects them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from modelport.core.errors import ModelFailed
from modelport.core.semantics import Semantics
from modelport.core.signature import Shape, Signature, TensorSpec, fits, show_shape
from modelport.core.tensors import Array
from modelport.engine.pipeline.declaration import Place

__all__ = ["ONE_VALUE", "Plan", "Step", "Wire"]

ONE_VALUE: tuple[Shape, ...] = ((None,), (None, 1))
"""The shapes of one value a row, which are as good as each other."""


@dataclass(frozen=True)
class Wire:
    """What an input of a step is connected to."""

    name: str
    """As messages tell it: where it stands in `pipeline.toml`."""
    spec: TensorSpec
    """The input, as its step takes it."""
    source: Place
    is_checked: bool
    """Whether what comes has to be looked at, because its source promises less than is taken."""

    def carry(self, tensor: Array) -> Array:
        """The tensor as the step takes it.

        Raises:
            ModelFailed: its shape is another one.
        """
        shape = tensor.shape
        if len(shape) != len(self.spec.shape) and self.spec.shape in ONE_VALUE:
            if len(shape) == 1:
                tensor = tensor.reshape(-1, 1)
            elif len(shape) == 2 and shape[1] == 1:
                tensor = tensor.reshape(-1)
        if self.is_checked and not fits(tensor.shape, self.spec.shape):
            raise ModelFailed(
                f"{self.name}: the step takes the shape {show_shape(self.spec.shape)}, and"
                f" {show_shape(shape)} came"
            )
        return tensor


@dataclass(frozen=True)
class Step:
    """One step among the others."""

    name: str
    wires: tuple[Wire, ...]
    waits_for: frozenset[str]
    """The steps from which it takes something."""
    then: tuple[str, ...]
    """The steps that take something from it."""
    kept: tuple[Place, ...]
    """Its outputs that a step takes."""
    given: tuple[tuple[str, str], ...]
    """The outputs of the pipeline that it gives: their names, and those of its own tensors."""


@dataclass(frozen=True)
class Plan:
    """A pipeline, ready to run."""

    steps: Mapping[str, Step]
    """Each after those that it waits for."""
    takers: Mapping[Place, int]
    """How many inputs of steps each tensor is wired to."""
    shared: frozenset[Place]
    """The tensors that more than one holds, steps and the answer."""
    signature: Signature
    semantics: Semantics
    warnings: tuple[str, ...]

    @property
    def first(self) -> tuple[Step, ...]:
        """The steps that wait for none."""
        return tuple(step for step in self.steps.values() if not step.waits_for)

    @property
    def is_chain(self) -> bool:
        """Whether there is never more than one step that could run."""
        steps = list(self.steps.values())
        return all(a.name in b.waits_for for a, b in pairwise(steps))
