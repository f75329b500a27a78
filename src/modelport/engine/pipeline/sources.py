"""What people give in place of a step's tensors: pictures, texts, categories.

A source whose tensors come from outside becomes one of the pipeline's own, so that a picture's
place in its tensor is known to the answer. One that another step fills, such as a text that a
function cleaned, is turned into tensors where the step runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import Audio, Image, Source, Text
from modelport.core.signature import Signature
from modelport.engine.opening import LoadedModel
from modelport.engine.pipeline.declaration import FILE, PipelineToml, StepTable
from modelport.engine.pipeline.plan import Wire

__all__ = ["outer_sources", "signature_of", "source_names"]


def source_names(loaded: LoadedModel) -> list[str]:
    """The sources of a step, but for those with the name of a tensor."""
    own = {spec.name for spec in loaded.view.signature.inputs}
    return [f.name for f in loaded.view.fields if f.source_of and f.name not in own]


def signature_of(table: StepTable, loaded: LoadedModel) -> Signature:
    """What a step takes: its tensors, or the sources that other steps fill, in their place."""
    signature = loaded.view.signature
    wired = {name for name in source_names(loaded) if "." in table.inputs.get(name, "")}
    filled = {t for f in loaded.view.fields if f.name in wired for t in f.source_of}
    if not filled:
        return signature
    inner = [f.tensor for f in loaded.view.fields if filled & set(f.source_of)]
    rest = [spec for spec in signature.inputs if spec.name not in filled]
    return Signature((*inner, *rest), signature.outputs, lockstep=signature.lockstep)


def outer_sources(
    toml: PipelineToml, steps: Mapping[str, LoadedModel], wires: Mapping[str, tuple[Wire, ...]]
) -> dict[str, Source]:
    """The sources of the pipeline: those of its steps whose tensors come from outside.

    Raises:
        ConfigError: two steps would have one source mean two things.
    """
    found: dict[str, Source] = {}
    for step, loaded in steps.items():
        table = toml.steps[step]
        for name, source in _outer(table, loaded, wires[step]):
            if found.setdefault(name, source) != source:
                raise ConfigError(
                    f"{FILE}, [steps.{step}]: another step takes '{name}' in another way: give one"
                    f' of them a name of its own, as inputs = {{ {name} = "NAME" }}'
                )
    return found


def _outer(
    table: StepTable, loaded: LoadedModel, wires: tuple[Wire, ...]
) -> Iterator[tuple[str, Source]]:
    fields = {f.name: f for f in loaded.view.fields if f.source_of}
    places = {wire.spec.name: wire.source for wire in wires}
    for name, source in loaded.semantics.sources.items():
        tensors = fields[name].source_of
        if any(t not in places or places[t].step for t in tensors):
            continue  # at least one comes from another step
        names = {t: places[t].tensor for t in tensors}
        outer = names[name] if name in names else table.inputs.get(name, name)
        yield outer, _renamed(source, names, PurePosixPath(table.model))


def _renamed(source: Source, names: Mapping[str, str], model: PurePosixPath) -> Source:
    """The same source for tensors of other names, its files as the pipeline's folder has them."""
    if isinstance(source, Image | Audio):
        (outer,) = names.values()
        return msgspec.structs.replace(source, tensor=outer)
    if isinstance(source, Text):
        folder = model if not model.suffix else model.parent
        return msgspec.structs.replace(
            source,
            tokenizer=str(folder / source.tokenizer),
            tensor=names[source.tensor],
            mask=names.get(source.mask, source.mask),
            types=names.get(source.types, source.types),
        )
    return source
