"""The documentation page: three files of our own, which load nothing from another host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from modelport.guard.policy import Permission
from modelport.http.routes import Route

__all__ = ["docs_routes"]

_PAGE = {
    "/docs": ("index.html", "text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", "text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    # The page runs what this server sent and asks this server only, whatever a model's owner
    # wrote into a description.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def docs_routes() -> list[Route]:
    """The page, its style and its program."""
    return [_file(path, name, media) for path, (name, media) in _PAGE.items()]


def _file(path: str, name: str, media: str) -> Route:
    content = files("modelport.http").joinpath("static", "docs", name).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "etag": etag}

    async def endpoint(request: Request) -> Response:
        if _has(request.headers, etag):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media)

    return Route(method="GET", path=path, permission=Permission.PUBLIC, endpoint=endpoint)


def _has(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the caller has this very content."""
    known = headers.get("if-none-match", "").split(",")
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in known)
