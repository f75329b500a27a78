"""The fields that a person fills in, and the answers that a person reads, of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

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
    kind: Literal["image", "text", "audio", "category", "number", "column"] | None = None
    """What a source is: `column` is one that is given as it is, beside others that are not. None
    for a tensor of the model's own, and for a column of one."""
    source_of: tuple[str, ...] = ()
    """The tensors that a source fills."""

    @property
    def fills(self) -> tuple[str, ...]:
        """The model's tensors that the name stands for, as a whole or in part."""
        return self.source_of or (self.tensor.name,)

    @property
    def is_file(self) -> bool:
        """Whether its elements are the bytes of files."""
        return self.kind in ("image", "audio")

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
    """What a person fills in: sources, columns where they have names, tensors elsewhere."""
    tensors: tuple[InputField, ...]
    """Every input as a whole; a request may use these names too."""
    parts: tuple[InputField, ...]
    """The columns of all tensors, and tensors without, whatever fills them."""
    owners: tuple[InputField, ...]
    """What the fields are parts of, in their order: sources, and tensors that no source fills."""
    sources: Mapping[str, InputField]
    """The fields that are sources, by name."""
    outputs: tuple[OutputField, ...]
    """What an answer shows, hidden outputs left out."""
    label: OutputField | None
    """The output that names the predicted class, if any."""
    scores: OutputField | None
    """The output with one score for each class, if any."""

    def source(self, name: str, datatype: str) -> InputField | None:
        """The source that a tensor of this name and type is; None for one of the model's own."""
        field = self.sources.get(name)
        if field is None:
            return None
        own = (spec for spec in self.signature.inputs if spec.name == name)
        return None if any(spec.dtype.value == datatype for spec in own) else field

    @property
    def is_classifier(self) -> bool:
        """Whether an answer is a label with probabilities."""
        return self.scores is not None

    @property
    def is_tabular(self) -> bool:
        """Whether every field is a single value in each row."""
        return all(field.shape == () for field in self.fields)


def plain_view(
    signature: Signature, semantics: Semantics, sources: Sequence[InputField] = ()
) -> PlainView:
    """Derive the view of a model from its signature, its semantics and what is a source in it."""
    tensors = tuple(_tensor_field(spec, semantics) for spec in signature.inputs)
    masks = {name for name, meaning in semantics.inputs.items() if meaning.mask_of is not None}
    owners = _owners(tensors, sources, masks)
    fields = tuple(
        field
        for owner in owners
        for field in ((owner,) if owner.source_of else _fields(owner, semantics))
    )
    outputs = tuple(
        OutputField(spec, semantics.outputs.get(spec.name, OutputMeaning()))
        for spec in signature.outputs
    )
    parts = {name for output in outputs for name in _parts_of(output.meaning)}
    shown = tuple(
        output for output in outputs if output.meaning.kind != "hidden" and output.name not in parts
    )
    labels = [output for output in shown if output.meaning.kind == "label"]
    scores = [output for output in shown if output.meaning.kind in ("probabilities", "logits")]
    # A score for each class is one list a row; others (one for each pixel) are shown as they are.
    one = len(scores) == 1 and all(size == 1 for size in scores[0].tensor.row_shape[:-1])
    return PlainView(
        signature=signature,
        semantics=semantics,
        fields=fields,
        tensors=tensors,
        parts=tuple(part for tensor in tensors for part in _fields(tensor, semantics)),
        owners=owners,
        sources={field.name: field for field in fields if field.source_of},
        outputs=shown,
        label=labels[0] if one and len(labels) == 1 else None,
        scores=scores[0] if one else None,
    )


def _parts_of(meaning: OutputMeaning) -> tuple[str | None, ...]:
    """The outputs that are shown inside another one."""
    return () if meaning.boxes is None else (meaning.boxes.scores, meaning.boxes.labels)


def _owners(
    tensors: Sequence[InputField], sources: Sequence[InputField], masks: Set[str]
) -> tuple[InputField, ...]:
    """Each source in the place of the first tensor that it fills; masks need nobody."""
    owners: list[InputField] = []
    for tensor in tensors:
        filling = [source for source in sources if tensor.name in source.fills]
        owners += [source for source in filling if source not in owners] or (
            [] if filling or tensor.name in masks else [tensor]
        )
    return tuple(owners)


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
