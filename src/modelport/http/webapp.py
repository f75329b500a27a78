"""The web application: one page for all its addresses, and the files that its build made.

`ui/` is built into `static/app` (`hatch_build.py`). A file's name changes with its content, so that
browsers keep it for good; beside each lie the same bytes compressed.
"""

from __future__ import annotations

import asyncio
import html
import mimetypes
import secrets
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modelport.core.errors import NotFound, NotReady
from modelport.guard.policy import Permission
from modelport.http.routes import Endpoint, Route

__all__ = ["webapp_routes"]

_PAGES = (
    *("/", "/sign-in", "/overview", "/apps/{name}", "/apps/{name}/{view}"),
    *("/docs", "/docs/{group}"),
)
_APP_ONLY_PAGES = ("/", "/sign-in", "/batch", "/compare", "/about")
"""Where one model's app is all there is: it, and what else it shows of its model."""
_NONCE, _APP, _TITLE = b"%NONCE%", b"%APP%", b"<title>Modelport</title>"
_CODINGS = {"br": ".br", "gzip": ".gz"}
"""What a browser may accept, the best first, and how the file's name ends then."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self';"
    " img-src 'self' data: blob:; media-src 'self' data: blob:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load, whatever a model's owner wrote into a description: this server's files.
Components set sizes in style elements of their own, which carry the nonce."""
_GUARD = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}
_KEPT = {
    "x-content-type-options": "nosniff",
    "cache-control": "public, max-age=31536000, immutable",
    "vary": "accept-encoding",
}


def webapp_routes(built: Traversable | None = None, app: str | None = None) -> list[Route]:
    """The page under each of its addresses, and its files.

    Args:
        built: the folder that the build wrote; None is that of the package.
        app: the model whose app is all that there is; None is every page.
    """
    built = built or files("modelport.http").joinpath("static", "app")
    page, assets = built.joinpath("index.html"), built.joinpath("assets")
    document = _told(page.read_bytes(), app) if page.is_file() else None
    names = {file.name for file in assets.iterdir()} if document is not None else set()

    async def show(request: Request) -> Response:
        if document is None:
            raise NotReady(
                "this installation has no web application, because it was installed from sources"
                " without it; the API is described in /openapi.json"
            )
        nonce = secrets.token_urlsafe(16)
        return Response(
            document.replace(_NONCE, nonce.encode()),
            headers=_GUARD
            | {
                "content-security-policy": _POLICY.format(nonce=nonce),
                "cache-control": "no-store",
            },
            media_type="text/html; charset=utf-8",
        )

    async def asset(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in names:
            raise NotFound("the web application has no such file; reload the page")
        accepted = request.headers.get("accept-encoding", "")
        tokens = {part.partition(";")[0].strip() for part in accepted.split(",")}
        coding = next((c for c in _CODINGS if c in tokens and name + _CODINGS[c] in names), None)
        ending, headers = (
            ("", _KEPT)
            if coding is None
            else (
                _CODINGS[coding],
                {**_KEPT, "content-encoding": coding},
            )
        )
        # Asked for once by each browser: not worth memory in every worker.
        try:
            content = await asyncio.to_thread(assets.joinpath(name + ending).read_bytes)
        except FileNotFoundError as error:
            raise NotReady(
                "the web application was updated under this server, which has to be started again"
            ) from error
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(content, headers=headers, media_type=media)

    async def own(request: Request) -> Response:
        """The app under the address that it has where there are others."""
        if request.path_params["name"] != app:
            raise NotFound("this server shows one app, which is at /")
        path = "/" + request.path_params.get("view", "")
        return RedirectResponse(path if path in _APP_ONLY_PAGES else "/", 307)

    def route(path: str, endpoint: Endpoint) -> Route:
        return Route(method="GET", path=path, permission=Permission.PUBLIC, endpoint=endpoint)

    if app is None:
        pages = [route(path, show) for path in _PAGES]
    else:
        others = [path for path in _PAGES if "{name}" in path]
        pages = [route(p, show) for p in _APP_ONLY_PAGES] + [route(p, own) for p in others]
    return [*pages, route("/assets/{file}", asset)]


def _told(document: bytes, app: str | None) -> bytes:
    """The page, told in its head which model's app is all that it shows."""
    name = html.escape(app or "").encode()
    document = document.replace(_APP, name)
    return document.replace(_TITLE, b"<title>%b</title>" % name) if app else document
