"""Admin operations over HTTP: each is handed to control, which alone may change state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.errors import PayloadTooLarge
from modelport.guard.policy import Permission
from modelport.http.routes import Route

__all__ = ["AskControl", "admin_routes", "json_answer"]

AskControl: TypeAlias = Callable[[str, bytes], Awaitable[bytes]]
"""From an operation and its JSON to control's JSON; raises `ModelportError`."""

_LARGEST = 64 * 1024


def admin_routes(ask: AskControl) -> list[Route]:
    """Keys: list, create, revoke."""

    async def list_keys(request: Request) -> Response:
        return json_answer(await ask("keys.list", b""))

    async def create_key(request: Request) -> Response:
        body = await request.body()
        if len(body) > _LARGEST:
            raise PayloadTooLarge(f"this takes at most {_LARGEST} bytes", limit=_LARGEST)
        return json_answer(await ask("keys.create", body), 201)

    async def revoke_key(request: Request) -> Response:
        body = msgspec.json.encode({"id": request.path_params["id"]})
        return json_answer(await ask("keys.revoke", body))

    admin = Permission.ADMIN
    return [
        Route(method="GET", path="/admin/keys", permission=admin, endpoint=list_keys),
        Route(method="POST", path="/admin/keys", permission=admin, endpoint=create_key),
        Route(method="DELETE", path="/admin/keys/{id}", permission=admin, endpoint=revoke_key),
    ]


def json_answer(body: bytes, status: int = 200) -> Response:
    """What control told, which holds for now and is for who asked: no cache keeps it."""
    headers = {"cache-control": "no-store"}
    return Response(body, status, headers, media_type="application/json")
