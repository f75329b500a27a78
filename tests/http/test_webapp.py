"""The web application's page and files: what is sent with them, and what is not to be had."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.errors import NotFound, NotReady
from modelport.guard.policy import Permission
from modelport.http.routes import Route
from modelport.http.webapp import webapp_routes

PAGE = (
    '<html><meta name="csp-nonce" content="%NONCE%"><meta name="only-app" content="%APP%">'
    "<title>Modelport</title></html>"
)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "index-1a2b.js").write_text("plain")
    (assets / "index-1a2b.js.br").write_text("brotli")
    (assets / "index-1a2b.js.gz").write_text("gzip")
    (assets / "icon.svg").write_text("<svg/>")
    (tmp_path / "secret").write_text("not an asset")
    return tmp_path


def get(
    built: Path, path: str, accept: str = "", app: str | None = None, **params: str
) -> Response:
    return asked(webapp_routes(built, app), path, accept, **params)


def asked(routes: list[Route], path: str, accept: str = "", **params: str) -> Response:
    route = next(route for route in routes if route.path == path)
    assert route.permission is Permission.PUBLIC
    assert route.endpoint is not None
    headers = [(b"accept-encoding", accept.encode())] if accept else []
    scope: dict[str, Any] = {"type": "http", "headers": headers, "path_params": params}
    return asyncio.run(route.endpoint(Request(scope)))  # type: ignore[arg-type]  # it is a coroutine


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/sign-in", "/overview", "/apps/{name}", "/apps/{name}/{view}"),
        *("/docs", "/docs/{group}"),
    ],
)
def test_each_address_has_the_page_with_a_nonce_of_its_own(built: Path, path: str) -> None:
    one, other = get(built, path), get(built, path)
    nonces = [
        re.search(r"'nonce-([\w-]{20,})'", r.headers["content-security-policy"])
        for r in (one, other)
    ]
    assert nonces[0] is not None
    assert nonces[1] is not None
    assert nonces[0][1] != nonces[1][1]
    assert bytes(one.body).decode() == PAGE.replace("%NONCE%", nonces[0][1]).replace("%APP%", "")
    assert one.headers["cache-control"] == "no-store"
    assert "unsafe" not in one.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in one.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("accept", "coding", "body"),
    [
        ("gzip, deflate, br", "br", b"brotli"),
        ("gzip;q=0.8", "gzip", b"gzip"),
        ("identity", None, b"plain"),
        ("", None, b"plain"),
    ],
)
def test_a_file_comes_as_the_browser_takes_it(
    built: Path, accept: str, coding: str | None, body: bytes
) -> None:
    answer = get(built, "/assets/{file}", accept, file="index-1a2b.js")
    assert answer.body == body
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.media_type == "text/javascript"


@pytest.mark.parametrize("file", ["nix.js", "../secret", "..", "index.html"])
def test_no_other_file_is_to_be_had(built: Path, file: str) -> None:
    with pytest.raises(NotFound, match="reload the page"):
        get(built, "/assets/{file}", file=file)


def test_files_that_went_while_the_server_ran_are_told_as_that(built: Path) -> None:
    routes = webapp_routes(built)
    (built / "assets" / "icon.svg").unlink()
    with pytest.raises(NotReady, match="started again"):
        asked(routes, "/assets/{file}", file="icon.svg")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/batch", "/compare", "/about"])
def test_where_one_app_is_all_the_page_is_told_which(built: Path, path: str) -> None:
    page = bytes(get(built, path, app="price").body).decode()
    assert '<meta name="only-app" content="price">' in page
    assert "<title>price</title>" in page


@pytest.mark.parametrize(
    ("view", "location"),
    [("batch", "/batch"), ("one", "/"), ("/evil.example", "/"), ("sign-in", "/sign-in")],
)
def test_its_usual_address_leads_there(built: Path, view: str, location: str) -> None:
    answer = get(built, "/apps/{name}/{view}", app="price", name="price", view=view)
    assert answer.headers["location"] == location


def test_no_other_app_and_no_other_page_is_shown_then(built: Path) -> None:
    with pytest.raises(NotFound, match="shows one app"):
        get(built, "/apps/{name}", app="price", name="mood")
    shown = {route.path for route in webapp_routes(built, "price")}
    others = {"/apps/{name}", "/apps/{name}/{view}", "/assets/{file}"}
    assert shown - others == {"/", "/sign-in", "/batch", "/compare", "/about"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_without_a_build_the_page_says_so(tmp_path: Path, path: str) -> None:
    with pytest.raises(NotReady, match=r"has no web application.*/openapi\.json"):
        get(tmp_path, path)
