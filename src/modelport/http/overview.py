"""What the server does and did: figures for the web application and for programs."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelport.guard.policy import Permission
from modelport.http.admin import AskControl
from modelport.http.routes import Route

__all__ = ["overview_routes"]


def overview_routes(ask: AskControl) -> list[Route]:
    """The present, once or as a stream; the last hour; what runs take."""

    async def overview(request: Request) -> Response:
        return _json(await ask("figures.overview", b""))

    async def history(request: Request) -> Response:
        name = request.path_params.get("name")
        return _json(await ask("figures.history", msgspec.json.encode({"name": name})))

    read = Permission.READ
    return [
        Route(method="GET", path="/server/overview", permission=read, endpoint=overview),
        Route(method="GET", path="/server/events", permission=read, endpoint=overview),
        Route(method="GET", path="/server/history", permission=read, endpoint=history),
        Route(method="GET", path="/models/{name}/history", permission=read, endpoint=history),
        Route(method="GET", path="/models/{name}/cost", permission=read, endpoint=history),
    ]


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
