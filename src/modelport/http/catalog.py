"""The models that are served, in our own words: state, fields, meaning."""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.semantics import Boxes, OutputKind
from modelport.core.signature import TensorSpec, sizes
from modelport.core.tensors import DType
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import State, Version
from modelport.engine.opening import Described
from modelport.guard.policy import Permission, is_anybody, is_public
from modelport.http.callers import CurrentPolicy
from modelport.http.routes import Route
from modelport.repository.layout import latest
from modelport.semantics.app import shown_inputs
from modelport.semantics.example import example_request
from modelport.semantics.fields import InputField, OutputField, PlainView
from modelport.semantics.short import short_request

__all__ = [
    "AppInfo",
    "FieldInfo",
    "ListedModel",
    "ModelFacts",
    "OutputInfo",
    "ShortExample",
    "TensorInfo",
    "catalog_routes",
    "describe",
]

_Choice = str | int | float | bool


class TensorInfo(Struct, frozen=True, kw_only=True):
    """A tensor of the model's own."""

    name: str
    datatype: DType
    shape: list[int]
    """-1 is a free size."""


class FieldInfo(TensorInfo, frozen=True, kw_only=True):
    """One value that a person gives; its shape is that of one row."""

    kind: Literal["image", "text", "audio", "category", "number", "column"] | UnsetType = UNSET
    replaces: tuple[str, ...] | UnsetType = UNSET
    """The tensors that the server makes of it."""
    unit: str | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    choices: tuple[_Choice, ...] | UnsetType = UNSET
    nullable: bool | UnsetType = UNSET
    description: str | UnsetType = UNSET


class OutputInfo(TensorInfo, frozen=True, kw_only=True):
    """An output, and how answers show it."""

    kind: OutputKind
    classes: tuple[_Choice, ...] | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    sigmoid: bool | UnsetType = UNSET
    threshold: float | UnsetType = UNSET
    picture: str | UnsetType = UNSET
    boxes: Boxes | UnsetType = UNSET
    unit: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class AppInfo(Struct, frozen=True, kw_only=True):
    """The page on which people use a model, as its owner wants it."""

    title: str | None
    """Its own, else the model's."""
    description: str | None
    """Its own, else the model's."""
    inputs: tuple[str, ...]
    """The fields that are shown, in this order; others are missing, or fixed."""
    fixed: dict[str, Any]
    """What every request has under the names of fields that are not shown."""
    colour: str | None
    """`#rrggbb`."""
    public: bool
    """Whether its owner wants it to need no key; the operator has to permit it, too."""


class ModelFacts(Struct, frozen=True, kw_only=True):
    """What is known of a model's file and from its owner."""

    runtime: str
    digest: str
    title: str | None
    description: str | None
    inputs: list[TensorInfo]
    outputs: list[OutputInfo]
    fields: list[FieldInfo]
    """What a person gives."""
    example: Any
    """A request that works as it is; null where it would be too long to read."""
    examples: tuple[Any, ...]
    """Those of the model's owner."""
    example_names: tuple[str | None, ...]
    """What each of them is called; empty where none has a name."""
    app: AppInfo
    notes: list[str]
    warnings: list[str]


class ShortExample(Struct, frozen=True, kw_only=True):
    """The owner's first example as people read it, cut to a line."""

    takes: str
    gives: str | None
    """What the model answered to it when it was loaded; null where that is not known."""


class ListedModel(Struct, frozen=True, kw_only=True):
    """A version of a model as it is served."""

    name: str
    version: str
    state: str
    reason: str | None
    """Why it is not served, where it is not."""
    aliases: list[str]
    title: str | UnsetType | None = UNSET
    """That of its app; left out, as the rest is, where nothing is known of the version yet."""
    description: str | UnsetType | None = UNSET
    takes: list[str] | UnsetType = UNSET
    """What its app asks for: the kinds and types of the fields, each once."""
    gives: list[str] | UnsetType = UNSET
    """What is answered: the kinds of its outputs, each once."""
    in_short: ShortExample | UnsetType = UNSET
    """Left out where there is none, or where it is no text, as a picture."""


def catalog_routes(engine: Engine, timeout_s: float, policy: CurrentPolicy) -> list[Route]:
    """The list of models, and one model, which is loaded for that where it never was.

    Args:
        engine: what runs them.
        timeout_s: how long that may take.
        policy: what the operator decided, now: who comes without a key is told of public apps only.
    """

    async def models(request: Request) -> Response:
        now, anybody = policy(), is_anybody(request.state.principal)
        shown = (v for v in engine.versions if not anybody or is_public(now, v.name))
        unloaded = () if anybody else engine.unloaded
        return _json(
            [_listed(engine, version) for version in shown]
            + [_unloaded(*each) for each in unloaded]
        )

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        unloaded = [version for own, version in engine.unloaded if own == name]
        if unloaded:
            return _json(_unloaded(name, latest(unloaded)))
        version = engine.find(name)
        if not version.is_served:
            return _json(_listed(engine, version))
        described = await engine.describe(version, time.monotonic() + timeout_s)
        facts = msgspec.to_builtins(describe(described))
        return _json(msgspec.to_builtins(_listed(engine, version)) | facts)

    read = Permission.READ
    return [
        Route(method="GET", path="/models", permission=read, endpoint=models, of_app=True),
        Route(method="GET", path="/models/{name}", permission=read, endpoint=model, of_app=True),
    ]


def describe(described: Described) -> ModelFacts:
    """What is known of a model: the same for the server and for `inspect`."""
    description, view, semantics = described.description, described.view, described.semantics
    return ModelFacts(
        runtime=description.runtime,
        digest=f"sha256:{described.digest}",
        title=semantics.title,
        description=semantics.description,
        inputs=[
            TensorInfo(name=spec.name, datatype=spec.dtype, shape=sizes(spec.shape))
            for spec in description.signature.inputs
        ],
        outputs=[_output(output) for output in view.outputs],
        fields=[_field(field) for field in view.fields],
        example=example_request(view),
        examples=semantics.examples,
        example_names=semantics.example_names,
        app=_app(view),
        notes=list(description.notes),
        warnings=list(description.warnings),
    )


def _app(view: PlainView) -> AppInfo:
    semantics, app = view.semantics, view.semantics.app
    return AppInfo(
        title=app.title or semantics.title,
        description=app.description or semantics.description,
        inputs=shown_inputs(view),
        fixed=app.fixed,
        colour=app.colour,
        public=app.public,
    )


def _field(field: InputField) -> FieldInfo:
    return FieldInfo(
        name=field.name,
        datatype=field.dtype,
        shape=sizes(field.shape),
        kind=field.kind or UNSET,
        replaces=field.source_of if field.kind else UNSET,
        **_known(field.meaning),
    )


def _output(output: OutputField) -> OutputInfo:
    spec: TensorSpec = output.tensor
    return OutputInfo(
        name=spec.name,
        datatype=spec.dtype,
        shape=sizes(spec.shape),
        **_known(output.meaning),
    )


def _known(meaning: Struct) -> dict[str, Any]:
    """The fields of a meaning that say something."""
    return {k: v for k, v in msgspec.structs.asdict(meaning).items() if v not in (None, ())}


def _listed(engine: Engine, version: Version) -> ListedModel:
    listed = ListedModel(
        name=version.name,
        version=version.version,
        state=version.state.value,
        reason=version.reason,
        aliases=[a for a, to in engine.aliases(version.name).items() if to == version.version],
    )
    known = version.described
    if known is None:
        return listed
    app = _app(known.view)
    shown = set(app.inputs)
    takes = {f.kind or f.dtype.value: None for f in known.view.fields if f.name in shown}
    example = short_request(known.view, known.semantics.examples)
    return msgspec.structs.replace(
        listed,
        title=app.title,
        description=app.description,
        takes=list(takes),
        gives=list({output.meaning.kind: None for output in known.view.outputs}),
        in_short=ShortExample(takes=example, gives=version.example_answer) if example else UNSET,
    )


def _unloaded(name: str, version: str) -> ListedModel:
    return ListedModel(
        name=name,
        version=version,
        state=State.UNLOADED.value,
        reason="unloaded by an admin, until it is loaded again or the server starts anew",
        aliases=[],
    )


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
