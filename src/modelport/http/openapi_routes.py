"""The operation objects of the addresses that are the same for every model."""

from __future__ import annotations

from collections.abc import Iterable

from modelport.guard.policy import Permission
from modelport.http.openapi_components import (
    PRIORITY,
    REQUEST_ID,
    SERVED_BY,
    TIME_ALLOWED,
    error_statuses,
    ref,
)
from modelport.http.openapi_schemas import Schema
from modelport.http.openapi_table import ABOUT, JSON, About
from modelport.http.routes import Route

__all__ = ["TERMS", "operation", "refusals", "security"]

TERMS = [ref("parameters", TIME_ALLOWED), ref("parameters", PRIORITY)]
"""Headers of every request that runs a model."""


_PARAMETERS = {
    "name": "The model.",
    "version": "The version, as `1`.",
    "alias": "Such as `production`.",
    "id": "The key's id.",
    "view": "What is shown of it.",
    "group": "The model, or the group, as `access-keys`.",
    "file": "The file's name, which changes with its content.",
}


def operation(route: Route, models: Iterable[str]) -> Schema:
    """The operation object of a route.

    Args:
        route: any but those that are described for each model.
        models: the values that `{name}` may have.

    Raises:
        KeyError: nobody described the route here.
    """
    # An address of one version is that of the model with two segments more.
    base = route.path.replace("/versions/{version}", "")
    about = ABOUT[f"{route.method} {base}"]
    versioned = base != route.path and not about.id.startswith("any_version")
    described: Schema = {
        "operationId": about.id + ("_version" if versioned else ""),
        "tags": [about.tag],
        "summary": about.summary + (" (one version)" if base != route.path else ""),
        "security": security(route),
    }
    if about.takes_away or route.method == "DELETE":
        described["x-takes-away"] = True
    parameters = [_parameter(name, models) for name in _names(route.path)]
    parameters += TERMS if route.permission is Permission.INFER else []
    parameters += [ref("parameters", name) for name in about.parameters]
    if parameters:
        described["parameters"] = parameters
    if about.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": about.body}}}
    refused = {str(status): ref("responses", str(status)) for status in about.refused}
    described["responses"] = _answers(route, about) | refusals(route) | refused
    return described


def security(route: Route) -> list[Schema]:
    """What a caller needs: a key whose role grants the permission, a session of it, or nothing."""
    if route.permission is Permission.PUBLIC:
        return []
    return [{scheme: [route.permission.value]} for scheme in ("bearer", "session")]


def refusals(route: Route) -> Schema:
    """The errors that a route may answer, by status."""
    statuses: set[int] = set()
    if route.permission is Permission.INFER:
        statuses = set(error_statuses())
    elif route.permission is not Permission.PUBLIC:
        statuses = {401, 403, 503}
        statuses |= {404} if "{" in route.path else set()
        statuses |= {400, 413} if route.method == "POST" else set()
    return {str(status): ref("responses", str(status)) for status in sorted(statuses)}


def _answers(route: Route, about: About) -> Schema:
    headers: Schema = {REQUEST_ID: ref("headers", REQUEST_ID)}
    if route.permission is Permission.INFER:
        headers[SERVED_BY] = ref("headers", SERVED_BY)
    answer: Schema = {
        "description": "The answer",
        "headers": headers,
        "content": {about.media: {"schema": about.answer}},
    }
    answers: Schema = {str(about.status): answer}
    # 503 of such a route is an answer, and stands in for the error of that status.
    return answers | ({"503": answer | {"description": "Not yet"}} if about.or_503 else {})


def _names(path: str) -> list[str]:
    return [segment[1:-1] for segment in path.split("/") if segment.startswith("{")]


def _parameter(name: str, models: Iterable[str]) -> Schema:
    schema: Schema = {"type": "string"}
    if name == "name" and (known := list(models)):
        schema["enum"] = known
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PARAMETERS[name],
        "schema": schema,
    }
