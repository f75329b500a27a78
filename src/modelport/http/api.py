"""The table of all routes: what this server answers, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelport.core.settings import Settings
from modelport.engine.facade import Engine
from modelport.guard.policy import Permission
from modelport.http.admin import AskControl, admin_routes
from modelport.http.callers import CurrentPolicy
from modelport.http.catalog import catalog_routes
from modelport.http.health import Gather, health_routes
from modelport.http.live import Live
from modelport.http.oip import infer_routes
from modelport.http.oip_metadata import metadata_routes
from modelport.http.openapi import document
from modelport.http.overview import overview_routes
from modelport.http.owner import owner_routes
from modelport.http.plain import MetricsOf, plain_routes
from modelport.http.repository import repository_routes
from modelport.http.routes import Route
from modelport.http.sessions import Redeem, session_routes
from modelport.http.webapp import webapp_routes

__all__ = ["api_routes"]


def api_routes(
    *,
    engine: Engine,
    settings: Settings,
    server_version: str,
    metrics_of: MetricsOf,
    gather: Gather,
    ask: AskControl,
    live: Live,
    redeem: Redeem,
    policy: CurrentPolicy,
    is_draining: Callable[[], bool],
    app: str | None = None,
    clock: Callable[[], float] = time.time,
) -> list[Route]:
    """Every route of every protocol.

    Args:
        engine: what runs the models.
        settings: bounds and time-outs.
        server_version: shown to callers.
        metrics_of: where requests are counted.
        gather: what all workers have counted.
        ask: hands an operation to control.
        live: the streams of what the server does.
        redeem: has control use up a link to sign in with.
        policy: what the operator decided, now.
        is_draining: whether this worker is about to end.
        app: the model whose app is the only page; None is every page.
        clock: seconds since the epoch.
    """
    timeout_s, limit = settings.inference.timeout_s, settings.http.max_body_bytes
    routes = [
        *plain_routes(engine, metrics_of, timeout_s, limit),
        *infer_routes(engine, metrics_of, timeout_s, limit),
        *health_routes(engine, is_draining, gather),
        *metadata_routes(engine, gather, timeout_s, server_version),
        *catalog_routes(engine, timeout_s, policy),
        *session_routes(policy, redeem, clock),
        *admin_routes(ask),
        *repository_routes(engine, ask),
        *overview_routes(ask, live, engine),
        *owner_routes(ask, engine),
        *webapp_routes(app=app),
    ]
    return [*routes, _openapi(engine, routes, server_version)]


def _openapi(engine: Engine, routes: Sequence[Route], server_version: str) -> Route:
    """The description of all the others; made anew for each call, because models come and go."""
    every: list[Route] = [*routes]

    async def openapi(request: Request) -> Response:
        return JSONResponse(document(engine, every, "Modelport", server_version))

    route = Route(method="GET", path="/openapi.json", permission=Permission.READ, endpoint=openapi)
    every.append(route)
    return route
