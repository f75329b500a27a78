"""A model as its owner sees it and changes it: versions, aliases, recent errors."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.errors import InvalidInput
from modelport.guard.policy import Permission
from modelport.http.admin import AskControl
from modelport.http.routes import Endpoint, Route
from modelport.repository.owned import AliasWanted

__all__ = ["owner_routes"]

_ALIAS = "/admin/models/{name}/aliases/{alias}"


def owner_routes(ask: AskControl) -> list[Route]:
    """All of a model; where its aliases point; what callers were told last."""

    def told(operation: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            body = msgspec.json.encode(request.path_params)
            return _json(await ask(operation, body))

        return endpoint

    async def promote(request: Request) -> Response:
        version = _wanted(await request.body()).version
        body = msgspec.json.encode({**request.path_params, "version": version})
        return _json(await ask("models.promote", body))

    def route(method: str, path: str, endpoint: Endpoint) -> Route:
        return Route(method=method, path=path, permission=Permission.ADMIN, endpoint=endpoint)

    return [
        route("GET", "/server/errors", told("errors.recent")),
        route("GET", "/models/{name}/errors", told("errors.recent")),
        route("GET", "/admin/models/{name}", told("models.owned")),
        route("POST", _ALIAS, promote),
        route("POST", f"{_ALIAS}/rollback", told("models.rollback")),
        route("DELETE", _ALIAS, told("models.forget")),
    ]


def _wanted(body: bytes) -> AliasWanted:
    try:
        return msgspec.json.decode(body, type=AliasWanted)
    except msgspec.DecodeError as error:
        raise InvalidInput(f'the body is {{"version": "3"}}: {error}') from error


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
