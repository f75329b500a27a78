"""The fields that a person fills in, and the answers that a person reads, of one model."""

from __future__ import annotations

from dataclasses import dataclass

from modelport.core.semantics import Field, OutputMeaning, Semantics
from modelport.core.signature import Shape, Signature, TensorSpec
from modelport.core.tensors import DType

__all__ = ["InputField", "OutputField", "PlainView", "plain_view"]


@dataclass(frozen=True)
class InputField:
    """One name in a plain request."""

    name: str
    tensor: TensorSpec
    meaning: Field
    column: int | None = None
    """The place along the tensor's last axis, where the name is of one column."""
    columns: int | None = None
    """How many named columns the whole tensor has, where the name is of the tensor."""

    @property
    def dtype(self) -> DType:
        """The type of each element."""
        return self.tensor.dtype

    @property
    def shape(self) -> Shape:
        """The shape of one row's value; `()` is a single value."""
        if self.column is not None:
            return ()
        shape = self.tensor.row_shape
        if self.columns is not None:
            shape = (*shape[:-1], self.columns)
        return () if self.tensor.is_batched and shape == (1,) else shape


@dataclass(frozen=True)
class OutputField:
    """One output of the model with its meaning."""

    tensor: TensorSpec
    meaning: OutputMeaning

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self.tensor.name

    @property
    def shape(self) -> Shape:
        """The shape of one row's value; a trailing dimension of 1 is dropped."""
        shape = self.tensor.row_shape
        return shape[:-1] if shape and shape[-1] == 1 else shape


@dataclass(frozen=True)
class PlainView:
    """A model as plain requests and answers see it."""

    signature: Signature
    semantics: Semantics
    fields: tuple[InputField, ...]
    """What a person fills in: columns where they have names, tensors elsewhere."""
    tensors: tuple[InputField, ...]
    """Every input as a whole; a request may use these names too."""
    outputs: tuple[OutputField, ...]
    """What an answer shows, hidden outputs left out."""
    label: OutputField | None
    """The output that names the predicted class, if any."""
    scores: OutputField | None
    """The output with one score for each class, if any."""

    @property
    def is_classifier(self) -> bool:
        """Whether an answer is a label with probabilities."""
        return self.scores is not None

    @property
    def is_tabular(self) -> bool:
        """Whether every field is a single value in each row."""
        return all(field.shape == () for field in self.fields)


def plain_view(signature: Signature, semantics: Semantics) -> PlainView:
    """Derive the view of a model from its signature and semantics."""
    tensors = tuple(_tensor_field(spec, semantics) for spec in signature.inputs)
    fields = tuple(field for tensor in tensors for field in _fields(tensor, semantics))
    outputs = tuple(
        OutputField(spec, semantics.outputs.get(spec.name, OutputMeaning()))
        for spec in signature.outputs
    )
    shown = tuple(output for output in outputs if output.meaning.kind != "hidden")
    labels = [output for output in shown if output.meaning.kind == "label"]
    scores = [output for output in shown if output.meaning.kind in ("probabilities", "logits")]
    # A score for each class is one list a row; others (one for each pixel) are shown as they are.
    one = len(scores) == 1 and all(size == 1 for size in scores[0].tensor.row_shape[:-1])
    return PlainView(
        signature=signature,
        semantics=semantics,
        fields=fields,
        tensors=tensors,
        outputs=shown,
        label=labels[0] if one and len(labels) == 1 else None,
        scores=scores[0] if one else None,
    )


def _tensor_field(spec: TensorSpec, semantics: Semantics) -> InputField:
    meaning = semantics.inputs.get(spec.name)
    if meaning is None:
        return InputField(spec.name, spec, Field())
    return InputField(spec.name, spec, meaning.field, columns=len(meaning.columns) or None)


def _fields(tensor: InputField, semantics: Semantics) -> tuple[InputField, ...]:
    meaning = semantics.inputs.get(tensor.name)
    if meaning is None or not meaning.columns or any(size != 1 for size in tensor.shape[:-1]):
        return (tensor,)
    return tuple(
        InputField(name, tensor.tensor, meaning.column_fields.get(name, meaning.field), column=at)
        for at, name in enumerate(meaning.columns)
    )
