"""The models that are served, in our own words: state, fields, meaning."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.signature import sizes
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import Version
from modelport.engine.opening import Described
from modelport.guard.policy import Permission
from modelport.http.routes import Route
from modelport.semantics.example import example_request

__all__ = ["catalog_routes", "describe"]


def catalog_routes(engine: Engine, timeout_s: float) -> list[Route]:
    """The list of models, and one model, which is loaded for that where it never was."""

    async def models(request: Request) -> Response:
        return _json([_listed(engine, version) for version in engine.versions])

    async def model(request: Request) -> Response:
        version = engine.find(request.path_params["name"])
        if not version.is_served:
            return _json(_listed(engine, version))
        described = await engine.describe(version, time.monotonic() + timeout_s)
        return _json(_listed(engine, version) | describe(described))

    read = Permission.READ
    return [
        Route(method="GET", path="/models", permission=read, endpoint=models),
        Route(method="GET", path="/models/{name}", permission=read, endpoint=model),
    ]


def describe(described: Described) -> dict[str, Any]:
    """What is known of a model, as JSON: the same for the server and for `inspect`."""
    description, view = described.description, described.view
    return {
        "runtime": description.runtime,
        "digest": f"sha256:{described.digest}",
        "title": described.semantics.title,
        "description": described.semantics.description,
        "inputs": [_tensor(spec) for spec in description.signature.inputs],
        "outputs": [_tensor(o.tensor) | _known(o.meaning) for o in view.outputs],
        "fields": [
            {"name": f.name, "datatype": f.dtype.value, "shape": sizes(f.shape)}
            | ({"kind": f.kind, "replaces": list(f.source_of)} if f.kind else {})
            | _known(f.meaning)
            for f in view.fields
        ],
        "example": example_request(view),
        "notes": list(description.notes),
        "warnings": list(description.warnings),
    }


def _listed(engine: Engine, version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "state": version.state.value,
        "reason": version.reason,
        "aliases": [a for a, to in engine.aliases(version.name).items() if to == version.version],
    }


def _tensor(spec: Any) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.dtype.value, "shape": sizes(spec.shape)}


def _known(meaning: msgspec.Struct) -> dict[str, Any]:
    """The fields of a meaning that say something."""
    return {k: v for k, v in msgspec.structs.asdict(meaning).items() if v not in (None, ())}


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
