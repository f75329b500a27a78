"""A model whose tensors have other names than its file's: those that its callers use already."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace

from modelport.core.messages import Parameter
from modelport.core.semantics import Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, Batch
from modelport.runtimes.base import Model, given

__all__ = ["Renamed"]


class Renamed:
    """A model under other names; types and a trailing dimension of 1 may differ, too."""

    def __init__(
        self, model: Model, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]
    ) -> None:
        """
        Args:
            model: the model.
            inputs: by the model's own name: what callers give in its place.
            outputs: by the model's own name: what callers get; others keep their names.
        """
        self._model = model
        self._inputs, self._outputs = inputs, outputs
        own = model.description
        self._types = {spec.name: spec.dtype.numpy for spec in own.signature.inputs}
        self.description = replace(
            own,
            signature=Signature(
                _specs(own.signature.inputs, inputs),
                _specs(own.signature.outputs, outputs),
                lockstep=own.signature.lockstep,
            ),
            semantics=_semantics(own.semantics, inputs, outputs),
            notes=(*own.notes, *_notes({**inputs, **outputs})),
        )

    def predict(self, batch: Batch) -> Batch | Awaitable[Batch]:
        """The model's answer, under these names."""
        named = {name: batch[_name(self._inputs, name)] for name in self._types}
        # Widening only: `configured` lets no other type pass.
        answer = self._model.predict(
            {name: tensor.astype(self._types[name], copy=False) for name, tensor in named.items()}
        )
        return self._awaited(answer) if inspect.isawaitable(answer) else self._named(answer)

    async def _awaited(self, answer: Awaitable[Batch]) -> Batch:
        return self._named(await answer)

    def _named(self, answer: Batch) -> Batch:
        return {_name(self._outputs, n): self._shaped(n, tensor) for n, tensor in answer.items()}

    def _shaped(self, name: str, tensor: Array) -> Array:
        spec = self._outputs.get(name)
        if spec is None:
            return tensor
        shaped = tensor[..., None] if tensor.ndim < len(spec.shape) else tensor
        return shaped.astype(spec.dtype.numpy, copy=False)

    def given(self, parameters: Mapping[str, Parameter]) -> Renamed:
        """The model with a request's parameters, under these names."""
        other = copy.copy(self)
        other._model = given(self._model, parameters)
        return other

    def close(self) -> None:
        """Give the model's memory back."""
        self._model.close()


def _name(others: Mapping[str, TensorSpec], name: str) -> str:
    return others[name].name if name in others else name


def _specs(own: Sequence[TensorSpec], others: Mapping[str, TensorSpec]) -> tuple[TensorSpec, ...]:
    return tuple(others.get(spec.name, spec) for spec in own)


def _semantics(
    own: Semantics, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]
) -> Semantics:
    return Semantics(
        title=own.title,
        description=own.description,
        inputs={_name(inputs, name): meaning for name, meaning in own.inputs.items()},
        outputs={_name(outputs, name): meaning for name, meaning in own.outputs.items()},
    )


def _notes(others: Mapping[str, TensorSpec]) -> list[str]:
    pairs = ", ".join(f"'{spec.name}' is '{name}'" for name, spec in others.items())
    return [f"tensors are named as in config.pbtxt: {pairs}"] if pairs else []
