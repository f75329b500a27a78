"""The routes: which path means what, which permission it asks, and the gate in front of all.

Every route of every protocol is one `Route` in one table. The gate runs once for each distinct
head, before its body is read; the rest of the way was decided when the table was built.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import request_response

from modelport.core.errors import (
    Forbidden,
    MethodNotAllowed,
    ModelportError,
    NotFound,
)
from modelport.guard.policy import Permission, Policy, Principal, admit, is_public, permit
from modelport.http.callers import caller_of
from modelport.http.errors import error_body, error_headers, fault, status_of
from modelport.http.wire import Asgi, Handler, Head

__all__ = ["Endpoint", "Gate", "Prepare", "Route", "Router"]

Prepare: TypeAlias = Callable[[Head, Mapping[str, str]], Handler]
"""For a hot route: from a head and the path's parameters to the handler of all such requests."""
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
"""For a cold route: an endpoint as Starlette has it."""

_log = logging.getLogger(__name__)

_CORS = (
    b"access-control-allow-origin: %b\r\nvary: origin\r\n"
    b"access-control-expose-headers: inference-header-content-length, retry-after,"
    b" x-model-version, x-request-id\r\n"
)
_PREFLIGHT = (
    b"HTTP/1.1 200 OK\r\naccess-control-allow-methods: GET, POST, DELETE\r\n"
    b"access-control-allow-headers: %b\r\naccess-control-max-age: 600\r\n"
)
_PRIVATE = b"cache-control: private\r\n"
"""What a cookie opened, no shared cache keeps; of an `Authorization` caches know by themselves."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method on one path."""

    method: str
    path: str
    """Segments in braces are parameters: `/models/{name}/predict`."""
    permission: Permission
    prepare: Prepare | None = None
    endpoint: Endpoint | None = None
    """Exactly one of `prepare` and `endpoint` is given."""
    of_app: bool = False
    """Whether a model's app asks here, and so callers without a key where it is a public one: that
    of the path's `name`, or any where it has none."""


class Router:
    """Finds the route of a method and a path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        # Where one model's app is the only page, there is none for the API.
        paths = {route.path for route in self.routes}
        self._list = "/docs" if "/docs" in paths else "/openapi.json"
        self._by_path: dict[tuple[str, ...], dict[str, Route]] = {}
        self._asgi: dict[Route, Any] = {}
        for route in self.routes:
            shape = tuple("{}" if _is_parameter(s) else s for s in _split(route.path))
            methods = self._by_path.setdefault(shape, {})
            if route.method in methods or (route.prepare is None) == (route.endpoint is None):
                raise ValueError(f"the route {route.method} {route.path} is declared wrongly")
            methods[route.method] = route
            if route.endpoint is not None:
                self._asgi[route] = request_response(_telling(route.endpoint))

    def match(self, method: str, raw_path: bytes) -> tuple[Route, dict[str, str]]:
        """The route and the values of its parameters.

        Raises:
            NotFound: no route has this path.
            MethodNotAllowed: one has it, with other methods.
        """
        segments = [_decoded(segment) for segment in raw_path.split(b"/")[1:]]
        for shape, methods in self._by_path.items():
            if len(shape) == len(segments) and _fits(shape, segments):
                route = methods.get("GET" if method == "HEAD" else method)
                if route is None:
                    allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
                    raise MethodNotAllowed(
                        f"this address takes {allowed}, not {method}", allow=allowed
                    )
                names = [name[1:-1] for name in _split(route.path) if _is_parameter(name)]
                values = [s for name, s in zip(shape, segments, strict=True) if name == "{}"]
                return route, dict(zip(names, values, strict=True))
        raise NotFound(
            f"there is nothing under this address; the API's addresses are listed at {self._list}"
        )

    def handler(self, route: Route, head: Head, params: dict[str, str]) -> Handler | Asgi:
        """Who answers requests with this head."""
        if route.prepare is not None:
            return route.prepare(head, params)
        return Asgi(self._asgi[route], params)


class Gate:
    """The one check that every request of every protocol passes."""

    def __init__(
        self, router: Router, policy: Policy, clock: Callable[[], float] = time.time
    ) -> None:
        """
        Args:
            router: finds the route.
            policy: what the operator decided, for now.
            clock: seconds since the epoch, which end sessions.
        """
        self._router = router
        self._clock = clock
        self.policy = policy

    def resolve(self, head: Head) -> None:
        """Admit the caller, find the route, check its permission, set the head's handler.

        Raises:
            Unauthenticated, Forbidden: the caller may not.
            NotFound, MethodNotAllowed: there is no such route.
            ModelportError: as the route's own preparation raises.
        """
        method = head.method.decode("ascii")
        origin = head.get(b"origin")
        allowed = origin is not None and origin.decode("latin-1") in self.policy.cors_origins
        if allowed:
            head.extra = _CORS % origin
        if method == "OPTIONS" and origin is not None:
            self._preflight(head, allowed)
            return
        try:
            route, params = self._router.match(method, head.path)
        except (NotFound, MethodNotAllowed):
            # Whoever may not read learns nothing of which addresses exist.
            permit(self._admit(head), Permission.READ)
            raise
        if route.permission is not Permission.PUBLIC:
            public = route.of_app and is_public(self.policy, params.get("name"))
            head.principal = self._admit(head, public=public)
            if head.principal.session is not None:
                head.once = True
                head.extra += _PRIVATE
            permit(head.principal, route.permission)
        head.handler = self._router.handler(route, head, params)

    def _admit(self, head: Head, *, public: bool = False) -> Principal:
        caller = caller_of(head, self.policy, self._clock())
        return admit(self.policy, caller, public=public)

    def _preflight(self, head: Head, allowed: bool) -> None:
        """Answer a browser that asks whether a page of another origin may call."""
        if not allowed:
            raise Forbidden("pages of this origin may not call this server")
        asked = head.get(b"access-control-request-headers") or b"content-type, authorization"
        answer = _PREFLIGHT % asked, b""
        head.handler = lambda body: answer


def _telling(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with errors in their one shape."""

    async def answer(request: Request) -> Response:
        request_id = request.state.request_id
        try:
            return await endpoint(request)
        except ModelportError as raised:
            error = raised
        except Exception as raised:
            _log.error("request %s failed", request_id, exc_info=raised)
            error = fault()
        body = error_body(error, request_id)
        return Response(body, status_of(error), error_headers(error))

    return answer


def _split(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[1:])


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{")


def _fits(shape: tuple[str, ...], segments: list[str]) -> bool:
    return all(
        have == want or (want == "{}" and have) for want, have in zip(shape, segments, strict=True)
    )


def _decoded(segment: bytes) -> str:
    # Bytes that are not UTF-8 become a character that no model's name has.
    return unquote_to_bytes(segment).decode("utf-8", "replace")
