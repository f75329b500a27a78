"""A loaded model as its `config.pbtxt` has it: names, a check of types and shapes, labels.

`model.toml` comes first: a tensor whose type or shape it declares is not checked here, and where
it calls a tensor by the file's own name, no tensor gets another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from modelport.core.errors import ConfigError
from modelport.core.semantics import OutputMeaning, Semantics
from modelport.core.signature import Shape, TensorSpec, position, show_shape
from modelport.core.tensors import DType
from modelport.repository.triton import CONFIG, TritonConfig, read_labels
from modelport.runtimes.base import Description, Model
from modelport.runtimes.renamed import Renamed
from modelport.semantics.model_toml import ModelToml, declared_inputs

__all__ = ["configured", "declared"]


def declared(config: TritonConfig | None, toml: ModelToml) -> dict[str, TensorSpec]:
    """The types and shapes of inputs that their owner declares."""
    found = {spec.name: spec for spec in config.inputs} if config is not None else {}
    for name, spec in declared_inputs(toml).items():
        before, table = found.get(name, spec), toml.inputs[name]
        dtype = spec.dtype if table.dtype is not None else before.dtype
        shape = spec.shape if table.shape is not None else before.shape
        found[name] = TensorSpec(name, dtype, shape)
    return found


def configured(
    model: Model, config: TritonConfig, path: Path, toml: ModelToml
) -> tuple[Model, Description]:
    """The model under the names that its configuration gives, and what is known of it then.

    Raises:
        ConfigError: the configuration clashes with the model's file; names the tensor.
    """
    own = model.description.signature
    named_here = {*toml.inputs, *toml.outputs} & {spec.name for spec in (*own.inputs, *own.outputs)}
    warnings = list(config.warnings)
    if not named_here:
        inputs, outputs = _places(config.inputs, own.inputs), _places(config.outputs, own.outputs)
        if config.backend == "fil":
            inputs, outputs = _fil(config, own.inputs, own.outputs)
            warnings += _missing(config, inputs, outputs)
        if inputs or outputs:
            model = Renamed(model, inputs, outputs)
    description = model.description
    signature = description.signature
    if config.backend != "fil" and not named_here:
        _check("input", config.inputs, signature.inputs, toml)
        _check("output", config.outputs, signature.outputs, toml)
    labelled = _labelled(description.semantics, config, path, signature.outputs)
    warnings = [*description.warnings, *warnings]
    return model, replace(description, semantics=labelled, warnings=tuple(warnings))


def _places(said: Sequence[TensorSpec], own: Sequence[TensorSpec]) -> dict[str, TensorSpec]:
    """By the name of a tensor: what Triton calls it, where it does so by its place.

    Whether type and shape agree is checked afterwards, on what the model itself has.
    """
    places = [position(spec.name) for spec in said]
    if {spec.name for spec in said} & {spec.name for spec in own} or None in places:
        return {}
    names = {at: spec.name for at, spec in zip(places, said, strict=True)}
    return {
        spec.name: TensorSpec(names[at], spec.dtype, spec.shape)
        for at, spec in enumerate(own)
        if at in names
    }


def _fil(
    config: TritonConfig, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> tuple[dict[str, TensorSpec], dict[str, TensorSpec]]:
    """What Triton's backend for trees calls its one input and output, in single precision.

    Source: https://github.com/triton-inference-server/fil_backend/blob/main/docs/model_config.md
    """
    own = {spec.name: spec for spec in outputs}
    wanted = "prediction"
    if "label" in own:
        wanted = "label" if config.predicts_class else ""
        wanted = "probabilities" if config.predicts_probabilities else wanted
    taken, given = {}, {}
    if len(inputs) == len(config.inputs) == 1:
        (said,), (file,) = config.inputs, inputs
        if _agree(said.shape, file.shape) and np.can_cast(said.dtype.numpy, file.dtype.numpy):
            taken[file.name] = TensorSpec(said.name, said.dtype, file.shape)
    if len(config.outputs) == 1 and wanted in own and own[wanted].dtype is not DType.BYTES:
        (said,), shape = config.outputs, own[wanted].shape
        if len(said.shape) == len(shape) + 1:
            shape = (*shape, 1)
        if _agree(said.shape, shape) and said.dtype.is_float:
            given[wanted] = TensorSpec(said.name, said.dtype, shape)
    return taken, given


def _missing(
    config: TritonConfig, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]
) -> Iterable[str]:
    found = {spec.name for spec in (*inputs.values(), *outputs.values())}
    for spec in (*config.inputs, *config.outputs):
        if spec.name not in found:
            yield f"{CONFIG} names the tensor '{spec.name}', which the model has under another name"


def _check(
    kind: str, said: Iterable[TensorSpec], own: Iterable[TensorSpec], toml: ModelToml
) -> None:
    known = {spec.name: spec for spec in own}
    for spec in said:
        where = f"{CONFIG}, {kind} '{spec.name}'"
        if spec.name not in known:
            names = ", ".join(f"'{name}'" for name in known)
            raise ConfigError(f"{where}: the model has no such {kind}; it has {names}")
        table = toml.inputs.get(spec.name) if kind == "input" else None
        if table is not None and (table.dtype is not None or table.shape is not None):
            continue
        file = known[spec.name]
        if spec.dtype is not file.dtype:
            raise ConfigError(
                f"{where}: data_type says {spec.dtype.value}, and the model's file says"
                f" {file.dtype.value}"
            )
        if not _agree(spec.shape, file.shape):
            raise ConfigError(
                f"{where}: dims and max_batch_size say {show_shape(spec.shape)}, and the model's"
                f" file says {show_shape(file.shape)}"
            )


def _agree(said: Shape, file: Shape) -> bool:
    """Whether a shape is the file's, or narrower where that leaves a size open."""
    return len(said) == len(file) and all(
        theirs is None or ours == theirs for ours, theirs in zip(said, file, strict=True)
    )


def _labelled(
    semantics: Semantics, config: TritonConfig, path: Path, outputs: Iterable[TensorSpec]
) -> Semantics:
    """What the outputs mean, with the classes of their label files."""
    known = {spec.name: spec for spec in outputs}
    meanings = dict(semantics.outputs)
    for name, file in config.labels.items():
        if name not in known:
            continue
        classes = read_labels(path, file)
        last = known[name].row_shape[-1:] or (1,)
        if last[0] not in (None, len(classes)):
            raise ConfigError(
                f"{CONFIG}, output '{name}': '{file}' names {len(classes)} classes, and the last"
                f" axis of the tensor has {last[0]}"
            )
        before = meanings.get(name, OutputMeaning())
        kind = "probabilities" if before.kind == "value" else before.kind
        meanings[name] = msgspec.structs.replace(before, kind=kind, classes=classes)
    return msgspec.structs.replace(semantics, outputs=meanings)
