"""Whether the server lives and is ready, and the metrics of all workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelport.engine.facade import Engine
from modelport.guard.policy import Permission
from modelport.http.routes import Route
from modelport.monitor.metrics import CONTENT_TYPE, Gathered, exposition

__all__ = ["Gather", "health_routes"]

Gather: TypeAlias = Callable[[], Awaitable[Gathered]]
"""What all workers have counted; raises `NotReady` while control is away."""


def health_routes(engine: Engine, is_draining: Callable[[], bool], gather: Gather) -> list[Route]:
    """Live, ready and metrics."""

    async def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        is_ready = engine.is_ready and not is_draining()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    async def metrics(request: Request) -> Response:
        return Response(exposition(await gather()), media_type=CONTENT_TYPE)

    public = Permission.PUBLIC
    return [
        Route(method="GET", path="/v2/health/live", permission=public, endpoint=live),
        Route(method="GET", path="/v2/health/ready", permission=public, endpoint=ready),
        Route(method="GET", path="/metrics", permission=Permission.READ, endpoint=metrics),
    ]
