"""What the server does and did: figures for the web application and for programs."""

from __future__ import annotations

import asyncio
import math

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.errors import InvalidInput, ModelNotFound
from modelport.engine.facade import Engine
from modelport.guard.policy import Permission
from modelport.http.admin import AskControl, json_answer
from modelport.http.live import Live
from modelport.http.routes import Route
from modelport.monitor.history import History

__all__ = ["overview_routes"]


def overview_routes(ask: AskControl, live: Live, engine: Engine) -> list[Route]:
    """The present, once or as a stream; the last hour; what runs take."""

    async def overview(request: Request) -> Response:
        return json_answer(await ask("figures.overview", b""))

    async def history(request: Request) -> Response:
        name = request.path_params.get("name")
        wanted = {"name": name, "since": _since(request)}
        answer = await ask("figures.history", msgspec.json.encode(wanted))
        if name is not None and not engine.is_known(name) and not _has_any(answer):
            raise ModelNotFound.named(name)
        return json_answer(answer)

    async def cost(request: Request) -> Response:
        name = request.path_params["name"]
        if not engine.is_known(name):
            raise ModelNotFound.named(name)
        curves = await asyncio.to_thread(engine.cost_curves, name)
        return json_answer(msgspec.json.encode(curves))

    read = Permission.READ
    return [
        Route(method="GET", path="/server/overview", permission=read, endpoint=overview),
        Route(method="GET", path="/server/events", permission=read, endpoint=live.endpoint),
        Route(method="GET", path="/server/history", permission=read, endpoint=history),
        Route(method="GET", path="/models/{name}/history", permission=read, endpoint=history),
        Route(method="GET", path="/models/{name}/cost", permission=read, endpoint=cost),
    ]


def _has_any(history: bytes) -> bool:
    """Whether it tells of a model, which may have been removed since."""
    return bool(msgspec.json.decode(history, type=History).versions)


def _since(request: Request) -> float:
    text = request.query_params.get("since", "0")
    try:
        since = float(text)
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise InvalidInput(f"'since' is a time in seconds since the epoch, and {text[:40]!r} came")
    return since
