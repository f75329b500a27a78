"""The model repository extension of the Open Inference Protocol, and a reload of our own.

Source: the extension that Triton documents
(https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md).
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelport.core.errors import InvalidInput
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import State, Version
from modelport.guard.policy import Permission
from modelport.http.admin import AskControl
from modelport.http.routes import Endpoint, Route

__all__ = ["repository_routes"]

_STATES = {
    State.STANDBY: "READY",  # a request is answered; that its model is loaded first is its reason
    State.LOADING: "LOADING",
    State.WARMING: "LOADING",
    State.READY: "READY",
    State.FAILED: "UNAVAILABLE",
    State.DRAINING: "UNLOADING",
    State.UNLOADED: "UNAVAILABLE",
}
_STANDS_BY = "not in memory; its next request loads it"


class _Wanted(msgspec.Struct):
    ready: bool = False


def repository_routes(engine: Engine, ask: AskControl) -> list[Route]:
    """Which models there are; load, unload and reload them."""

    async def index(request: Request) -> Response:
        only_ready = _wanted(await request.body()).ready
        versions = [v for v in engine.versions if v.is_served or not only_ready]
        return JSONResponse([_entry(version) for version in versions])

    def change(operation: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            name = request.path_params.get("name", "")
            answer = await ask(operation, msgspec.json.encode({"name": name}))
            return Response(answer, media_type="application/json")

        return endpoint

    def admin(path: str, operation: str) -> Route:
        return Route(
            method="POST", path=path, permission=Permission.ADMIN, endpoint=change(operation)
        )

    return [
        Route(
            method="POST",
            path="/v2/repository/index",
            permission=Permission.READ,
            endpoint=index,
        ),
        admin("/v2/repository/models/{name}/load", "models.load"),
        admin("/v2/repository/models/{name}/unload", "models.unload"),
        admin("/admin/models/reload", "models.reload"),
    ]


def _wanted(body: bytes) -> _Wanted:
    try:
        return msgspec.json.decode(body or b"{}", type=_Wanted)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"the body does not have the right form: {error}") from error


def _entry(version: Version) -> dict[str, str]:
    return {
        "name": version.name,
        "version": version.version,
        "state": _STATES[version.state],
        "reason": _STANDS_BY if version.state is State.STANDBY else version.reason or "",
    }
