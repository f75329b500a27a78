"""From the declaration and the steps' signatures to the plan by which a pipeline runs.

A wire carries a tensor as it is: the element types are equal, and so are the dimensions, as far as
both ends fix them. One value a row may be a tensor of `[?]` or of `[?, 1]`, as it is in requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import InputMeaning, OutputMeaning, Semantics, Source
from modelport.core.signature import Shape, Signature, TensorSpec, show_shape
from modelport.engine.opening import LoadedModel
from modelport.engine.pipeline.declaration import (
    FILE,
    PipelineToml,
    Place,
    output_name,
    place,
    wire_name,
)
from modelport.engine.pipeline.meaning import Taker, input_meanings
from modelport.engine.pipeline.plan import ONE_VALUE, Plan, Step, Wire
from modelport.engine.pipeline.sources import outer_sources, signature_of, source_names
from modelport.kit.words import nearest

__all__ = ["wired"]


def wired(toml: PipelineToml, steps: Mapping[str, LoadedModel]) -> Plan:
    """Connect the steps and find out what the whole takes and gives.

    Args:
        toml: the declaration, whose steps were found to be in an order.
        steps: in that order.

    Raises:
        ConfigError: a tensor is missing, or the two ends of a wire do not fit; names the wire.
    """
    signatures = {name: signature_of(toml.steps[name], each) for name, each in steps.items()}
    for name, loaded in steps.items():
        _check_names(toml, name, signatures[name], source_names(loaded))
    ends = {name: list(_ends(toml, name, signatures[name])) for name in steps}
    inputs = _inputs(toml, ends)
    wires = {
        name: tuple(_wire(wire, spec, source, steps, inputs) for wire, spec, source in ends[name])
        for name in steps
    }
    outputs = _outputs(toml, signatures)
    given = {name: _given(signatures, source) for name, source in outputs.items()}
    specs = tuple(TensorSpec(name, spec.dtype, spec.shape) for name, spec in given.items())
    signature = Signature(tuple(inputs.values()), specs, _is_lockstep(signatures, wires))
    sources = outer_sources(toml, steps, wires)
    semantics, warnings = _semantics(steps, wires, inputs, outputs, sources)
    planned = {name: _step(name, wires, outputs) for name in steps}
    takers = Counter(wire.source for step in wires.values() for wire in step)
    answered = set(outputs.values())
    return Plan(
        steps=planned,
        takers=takers,
        shared=frozenset(p for p, count in takers.items() if count > 1 or p in answered),
        signature=signature,
        semantics=semantics,
        warnings=(*warnings, *_idle(planned)),
    )


def _check_names(
    toml: PipelineToml, step: str, signature: Signature, sources: Iterable[str]
) -> None:
    """Refuse a wire to an input that the step does not have."""
    names = [*(spec.name for spec in signature.inputs), *sources]
    for tensor, text in toml.steps[step].inputs.items():
        if tensor not in names:
            raise ConfigError(
                f"{wire_name(step, tensor, text)}: the step has no input"
                f" '{tensor}'{nearest(tensor, names)}"
            )


def _ends(
    toml: PipelineToml, step: str, signature: Signature
) -> Iterator[tuple[str, TensorSpec, Place]]:
    """Each wire of a step: its name, what is taken, and from where."""
    given = toml.steps[step].inputs
    for spec in signature.inputs:
        text = given.get(spec.name)
        wire = wire_name(step, spec.name, text)
        source = Place("", spec.name) if text is None else place(toml, wire, text)
        yield wire, spec, source


def _inputs(
    toml: PipelineToml, ends: Mapping[str, list[tuple[str, TensorSpec, Place]]]
) -> dict[str, TensorSpec]:
    """The inputs of the pipeline: what all that take one of them agree on."""
    inputs: dict[str, TensorSpec] = {}
    for step in toml.steps:  # as the file has them, and so the signature
        for wire, spec, (source, name) in ends[step]:
            if source:
                continue
            known = inputs.setdefault(name, TensorSpec(name, spec.dtype, spec.shape))
            shape = _common(known.shape, spec.shape)
            if known.dtype is not spec.dtype or shape is None:
                raise ConfigError(
                    f"{wire}: the step takes {_show(spec)}, and another step takes the pipeline's"
                    f" input '{name}' as {_show(known)}"
                )
            inputs[name] = TensorSpec(name, spec.dtype, shape)
    return inputs


def _wire(
    wire: str,
    spec: TensorSpec,
    source: Place,
    steps: Mapping[str, LoadedModel],
    inputs: Mapping[str, TensorSpec],
) -> Wire:
    if not source.step:
        return Wire(wire, spec, source, is_checked=False)
    loaded = steps[source.step]
    outputs = {output.name: output for output in loaded.view.signature.outputs}
    if source.tensor not in outputs:
        raise _no_output(wire, source, outputs)
    given = outputs[source.tensor]
    shape = _common(given.shape, spec.shape)
    if given.dtype is not spec.dtype or shape is None:
        raise ConfigError(
            f"{wire}: '{source}' is {_show(given)}, and the step takes {_show(spec)};"
            " a wire changes neither type nor shape: a step in between can"
        )
    # What a file declares, its runtime computes; a function's hints are only a promise.
    is_sure = loaded.description.execution == "compute" and given.shape == shape
    return Wire(wire, spec, source, is_checked=not is_sure)


def _outputs(toml: PipelineToml, signatures: Mapping[str, Signature]) -> dict[str, Place]:
    if not toml.outputs:
        return _last_outputs(toml, signatures)
    outputs: dict[str, Place] = {}
    for name, text in toml.outputs.items():
        wire = output_name(name, text)
        found = place(toml, wire, text)
        if not found.step:
            raise ConfigError(f"{wire}: an output comes from a step: write 'STEP.TENSOR'")
        known = {spec.name: spec for spec in signatures[found.step].outputs}
        if found.tensor not in known:
            raise _no_output(wire, found, known)
        outputs[name] = found
    return outputs


def _last_outputs(toml: PipelineToml, signatures: Mapping[str, Signature]) -> dict[str, Place]:
    """All outputs of the steps from which no other takes anything."""
    texts = [text for table in toml.steps.values() for text in table.inputs.values()]
    taken = {text.partition(".")[0] for text in texts if "." in text}
    outputs: dict[str, Place] = {}
    for step in (step for step in toml.steps if step not in taken):
        for spec in signatures[step].outputs:
            other = outputs.setdefault(spec.name, Place(step, spec.name))
            if other.step != step:
                raise ConfigError(
                    f"{FILE}: the steps '{other.step}' and '{step}' both give '{spec.name}': name"
                    f' the outputs, as [outputs] {other.step} = "{other}",'
                    f' {step} = "{step}.{spec.name}"'
                )
    return outputs


def _no_output(wire: str, source: Place, outputs: Mapping[str, TensorSpec]) -> ConfigError:
    return ConfigError(
        f"{wire}: the step '{source.step}' has no output"
        f" '{source.tensor}'{nearest(source.tensor, outputs)}"
    )


def _given(signatures: Mapping[str, Signature], source: Place) -> TensorSpec:
    return next(s for s in signatures[source.step].outputs if s.name == source.tensor)


def _is_lockstep(
    signatures: Mapping[str, Signature], wires: Mapping[str, tuple[Wire, ...]]
) -> bool:
    """Whether rows stay rows: each step keeps them apart, and so does what passes between steps."""
    between = [wire for given in wires.values() for wire in given if wire.source.step]
    return all(signature.lockstep for signature in signatures.values()) and all(
        wire.spec.is_batched and _given(signatures, wire.source).is_batched for wire in between
    )


def _semantics(
    steps: Mapping[str, LoadedModel],
    wires: Mapping[str, tuple[Wire, ...]],
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, Place],
    sources: Mapping[str, Source],
) -> tuple[Semantics, tuple[str, ...]]:
    takers: dict[str, list[Taker]] = {name: [] for name in inputs}
    for step, given in wires.items():
        said = steps[step].semantics.inputs
        for wire in (wire for wire in given if not wire.source.step):
            meaning = said.get(wire.spec.name, InputMeaning())
            takers[wire.source.tensor].append(Taker(wire.name, meaning))
    meanings, warnings = input_meanings(takers)
    names = {place: name for name, place in outputs.items()}
    answers = {
        name: _answer(steps[p.step].semantics.outputs.get(p.tensor, OutputMeaning()), p.step, names)
        for name, p in outputs.items()
    }
    return Semantics(inputs=meanings, sources=sources, outputs=answers), warnings


def _answer(meaning: OutputMeaning, step: str, names: Mapping[Place, str]) -> OutputMeaning:
    """What a step says of an output, with the pipeline's names for those that belong to it."""
    if meaning.boxes is None:
        return meaning
    scores, labels = (
        None if own is None else names.get(Place(step, own))
        for own in (meaning.boxes.scores, meaning.boxes.labels)
    )
    if (scores is None) != (meaning.boxes.scores is None):
        return OutputMeaning()  # without their scores, boxes are only numbers
    boxes = msgspec.structs.replace(meaning.boxes, scores=scores, labels=labels)
    return msgspec.structs.replace(meaning, boxes=boxes)


def _step(name: str, wires: Mapping[str, tuple[Wire, ...]], outputs: Mapping[str, Place]) -> Step:
    taken = [(step, wire.source) for step, given in wires.items() for wire in given]
    return Step(
        name=name,
        wires=wires[name],
        waits_for=frozenset(wire.source.step for wire in wires[name]) - {""},
        then=tuple(dict.fromkeys(step for step, source in taken if source.step == name)),
        kept=tuple(dict.fromkeys(source for _, source in taken if source.step == name)),
        given=tuple((out, p.tensor) for out, p in outputs.items() if p.step == name),
    )


def _idle(steps: Mapping[str, Step]) -> Iterator[str]:
    for step in steps.values():
        if not step.kept and not step.given:
            yield f"nothing takes an output of the step '{step.name}', which runs all the same"


def _common(one: Shape, other: Shape) -> Shape | None:
    """What fits both shapes; None where nothing does."""
    if one in ONE_VALUE and other in ONE_VALUE:
        return max(one, other, key=len)
    if len(one) != len(other) or any(
        None not in (a, b) and a != b for a, b in zip(one, other, strict=True)
    ):
        return None
    return tuple(b if a is None else a for a, b in zip(one, other, strict=True))


def _show(spec: TensorSpec) -> str:
    return f"{spec.dtype.value} {show_shape(spec.shape)}"
