"""A model as its owner sees it and changes it: versions, aliases, recent errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.errors import InvalidInput, ModelNotFound
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import Version
from modelport.guard.policy import Permission
from modelport.http.admin import AskControl, json_answer
from modelport.http.routes import Endpoint, Route
from modelport.monitor.recent import RecentErrors
from modelport.repository.owned import AliasWanted, OwnedModel, OwnedVersion

__all__ = ["owner_routes"]

_ALIAS = "/admin/models/{name}/aliases/{alias}"


def owner_routes(ask: AskControl, engine: Engine) -> list[Route]:
    """All of a model; where its aliases point; what callers were told last."""

    def told(operation: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return json_answer(await ask(operation, msgspec.json.encode(request.path_params)))

        return endpoint

    async def errors(request: Request) -> Response:
        answer = await ask("errors.recent", msgspec.json.encode(request.path_params))
        name = request.path_params.get("name")
        if name is not None and not engine.is_known(name):  # it may have been removed since
            told = msgspec.json.decode(answer, type=RecentErrors)
            if not told.errors:
                raise ModelNotFound.named(name)
        return json_answer(answer)

    async def owned(request: Request) -> Response:
        answer = await ask("models.owned", msgspec.json.encode(request.path_params))
        model = msgspec.json.decode(answer, type=OwnedModel)
        here = {version.version: version for version in engine.versions_of(model.name)}
        return json_answer(
            msgspec.json.encode(await asyncio.to_thread(_completed, model, here, engine))
        )

    async def promote(request: Request) -> Response:
        version = _wanted(await request.body()).version
        body = msgspec.json.encode({**request.path_params, "version": version})
        return json_answer(await ask("models.promote", body))

    def route(method: str, path: str, endpoint: Endpoint) -> Route:
        return Route(method=method, path=path, permission=Permission.ADMIN, endpoint=endpoint)

    return [
        route("GET", "/server/errors", errors),
        route("GET", "/models/{name}/errors", errors),
        route("GET", "/admin/models/{name}", owned),
        route("POST", _ALIAS, promote),
        route("POST", f"{_ALIAS}/rollback", told("models.rollback")),
        route("DELETE", _ALIAS, told("models.forget")),
    ]


def _completed(model: OwnedModel, here: Mapping[str, Version], engine: Engine) -> OwnedModel:
    """With what a worker knows of the versions that it serves; reads files."""
    versions = [
        _known(each, here[each.version], engine) if each.version in here else each
        for each in model.versions
    ]
    return msgspec.structs.replace(model, versions=versions)


def _known(owned: OwnedVersion, version: Version, engine: Engine) -> OwnedVersion:
    known = version.described
    if known is None:
        return owned
    placement = "shared" if version.is_shared else "inline"
    return msgspec.structs.replace(
        owned,
        digest=f"sha256:{known.digest}",
        runtime=known.description.runtime,
        placement=None if version.resident is None else placement,
        placement_reason=engine.why_placed(version),
    )


def _wanted(body: bytes) -> AliasWanted:
    try:
        return msgspec.json.decode(body, type=AliasWanted)
    except msgspec.DecodeError as error:
        raise InvalidInput(f'the body is {{"version": "3"}}: {error}') from error
