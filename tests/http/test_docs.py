"""The documentation page: what is served, and that it needs nobody else."""

from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from starlette.requests import Request
from starlette.responses import Response

from modelport.guard.policy import Permission
from modelport.http.docs import docs_routes

ASSETS = ("index.html", "docs.css", "docs.js")


def asset(name: str) -> str:
    return files("modelport.http").joinpath("static", "docs", name).read_text(encoding="utf-8")


def get(path: str, **headers: str) -> Response:
    (route,) = [route for route in docs_routes() if route.path == path]
    sent = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": sent, "query_string": b""}
    assert route.endpoint is not None
    return asyncio.run(_awaited(route.endpoint, Request(scope)))


async def _awaited(endpoint: object, request: Request) -> Response:
    return await endpoint(request)  # type: ignore[operator,no-any-return]


class Page(HTMLParser):
    """What a browser would load, run or name because of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.labelled: set[str] = set()
        self.inputs: set[str] = set()
        self.loaded: list[str] = []
        self.attributes: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(asset("index.html"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.attributes += given
        self.ids |= {given["id"]} if "id" in given else set()
        self.loaded += [given[name] for name in ("src", "href") if name in given]
        self.labelled |= {given["for"]} if tag == "label" else set()
        self.inputs |= {given["id"]} if tag in ("input", "textarea", "select") else set()

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.mark.parametrize(
    ("path", "name", "media"),
    [
        ("/docs", "index.html", "text/html; charset=utf-8"),
        ("/docs/docs.css", "docs.css", "text/css; charset=utf-8"),
        ("/docs/docs.js", "docs.js", "text/javascript; charset=utf-8"),
    ],
)
def test_each_file_is_served_with_its_type_and_a_strict_policy(
    path: str, name: str, media: str
) -> None:
    answer = get(path)
    assert answer.status_code == 200
    assert bytes(answer.body).decode() == asset(name)
    assert answer.headers["content-type"] == media
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(
        rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_a_file_that_the_caller_has_is_not_sent_again() -> None:
    etag = get("/docs").headers["etag"]
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = get("/docs", if_none_match=known)
        assert (again.status_code, bytes(again.body)) == (304, b"")
        assert again.headers["etag"] == etag
        assert "content-security-policy" in again.headers
    assert get("/docs", if_none_match='"other"').status_code == 200
    assert etag != get("/docs/docs.js").headers["etag"]


def test_the_page_itself_is_public_because_browsers_send_no_key_for_pages() -> None:
    assert {route.path: route.permission for route in docs_routes()} == dict.fromkeys(
        ("/docs", "/docs/docs.css", "/docs/docs.js"), Permission.PUBLIC
    )


@pytest.mark.parametrize("name", ASSETS)
def test_no_file_names_another_host(name: str) -> None:
    assert not re.findall(r"https?://|url\(|@import|(?<![:/])//[a-z]+\.", asset(name))


def test_the_page_loads_its_own_files_and_runs_nothing_inline() -> None:
    page = Page()
    assert set(page.loaded) == {
        "docs/docs.css",
        "docs/docs.js",
        "openapi.json",
        "#main",
        "data:,",
    }
    assert page.inline == []
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]


def test_every_control_of_the_page_has_a_label() -> None:
    page = Page()
    assert page.inputs == {"key"}
    assert page.inputs <= page.labelled


def test_the_program_finds_the_elements_that_it_names() -> None:
    program = asset("docs.js")
    named = set(re.findall(r'byId\("([^"]+)"\)', program))
    assert named
    assert named <= Page().ids


def test_the_program_writes_data_as_text_only_and_keeps_no_key() -> None:
    program = asset("docs.js")
    for name in (
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("),
        *("localStorage", "sessionStorage", "document.cookie", 'setAttribute("style"'),
    ):
        assert name not in program
