"""What all models of the OpenAPI document share: errors, headers, the inference protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from modelport.core import errors
from modelport.core.errors import ModelportError
from modelport.core.messages import PRIORITIES
from modelport.core.tensors import DType
from modelport.engine.cost_curves import CostCurves
from modelport.http.catalog import ListedModel, ModelFacts
from modelport.http.cookies import cookie_name
from modelport.http.errors import STATUS
from modelport.http.openapi_answers import TEXT
from modelport.http.openapi_schemas import Schema
from modelport.monitor.history import History
from modelport.monitor.overview import Overview
from modelport.monitor.recent import RecentErrors
from modelport.repository.owned import AliasMoved, AliasWanted, OwnedModel

__all__ = [
    "CSRF",
    "PRIORITY",
    "REQUEST_ID",
    "SERVED_BY",
    "SINCE",
    "TIME_ALLOWED",
    "components",
    "error_statuses",
    "ref",
]

CSRF = "X-CSRF-Token"
PRIORITY = "X-Priority"
REQUEST_ID = "X-Request-Id"
SERVED_BY = "X-Model-Version"
SINCE = "since"
TIME_ALLOWED = "X-Request-Timeout"

_STRUCTS = (
    *(ListedModel, ModelFacts),
    *(Overview, History, CostCurves, RecentErrors),
    *(OwnedModel, AliasWanted, AliasMoved),
)
_NOT_ANSWERED = (errors.LoadError, errors.ConfigError, errors.MethodNotAllowed)
"""A model that did not load answers `NOT_READY`; an operation has its own method."""


def components(models: Mapping[str, Schema]) -> Schema:
    """All components, with the schemas of the models."""
    return {
        "schemas": {**_schemas(), **models},
        "responses": {str(status): _refusal(status) for status in error_statuses()},
        "headers": _headers(),
        "parameters": {
            TIME_ALLOWED: _time_allowed(),
            PRIORITY: _priority(),
            CSRF: _csrf(),
            SINCE: _since(),
        },
        "securitySchemes": {"bearer": _bearer(), "session": _session()},
    }


def error_statuses() -> list[int]:
    """Each status with which an operation may be refused, as the table of errors has them."""
    return sorted({status for _, status in _answered()})


def ref(kind: str, name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _answered() -> Iterator[tuple[type[ModelportError], int]]:
    for error, status in STATUS.items():
        if error is not ModelportError and not issubclass(error, _NOT_ANSWERED):
            yield error, status


def _refusal(status: int) -> Schema:
    said = [
        f"`{error.code}`: {(error.__doc__ or '').strip()}"
        for error, its_status in _answered()
        if its_status == status
    ]
    headers: Schema = {REQUEST_ID: ref("headers", REQUEST_ID)}
    if status in (429, 503):
        headers["Retry-After"] = ref("headers", "Retry-After")
    return {
        "description": "\n\n".join(said),
        "headers": headers,
        "content": {"application/json": {"schema": ref("schemas", "Error")}},
    }


def _headers() -> Schema:
    return {
        SERVED_BY: {
            "description": "The version of the model that answered.",
            "schema": {"type": "string"},
        },
        REQUEST_ID: {
            "description": "What the caller sent under this name, else a new one.",
            "schema": {"type": "string"},
        },
        "Retry-After": {
            "description": "Seconds after which another try makes sense.",
            "schema": {"type": "integer", "minimum": 0},
        },
    }


def _time_allowed() -> Schema:
    return {
        "name": TIME_ALLOWED,
        "in": "header",
        "description": "Seconds after which nobody wants the answer; the server has its own limit.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    }


def _priority() -> Schema:
    return {
        "name": PRIORITY,
        "in": "header",
        "description": "The request's share of a model where others wait too: 1, 4 or 16 parts."
        " By itself that of the key; a key may be kept from asking for more than its own.",
        "schema": {"type": "string", "enum": [*PRIORITIES]},
    }


def _csrf() -> Schema:
    return {
        "name": CSRF,
        "in": "header",
        "description": "What `GET /session` gives as `csrf`, where the session's cookie is sent.",
        "schema": {"type": "string"},
    }


def _since() -> Schema:
    return {
        "name": SINCE,
        "in": "query",
        "description": "Seconds since the epoch: steps that began before are left out.",
        "schema": {"type": "number"},
    }


def _session() -> Schema:
    return {
        "type": "apiKey",
        "in": "cookie",
        "name": cookie_name(secure=False),
        "description": "What `POST /session` sets: it stands for the key of whoever signed in,"
        " unless an `Authorization` comes beside it. Over TLS its name is"
        f" `{cookie_name(secure=True)}`. All but GET needs `{CSRF}` besides, and the `Origin`"
        " that browsers send.",
    }


def _bearer() -> Schema:
    return {
        "type": "http",
        "scheme": "bearer",
        "description": "A key that `modelport keys create` made, or the admin token. Callers on the"
        " server's own machine need none to read and to infer, until the first key is made; nobody"
        " does for a public app: to see its model, and to predict by the model's name.",
    }


def _schemas() -> dict[str, Schema]:
    _, described = msgspec.json.schema_components(
        _STRUCTS, ref_template="#/components/schemas/{name}"
    )
    return {
        **described,
        "Error": _error(),
        TEXT: _text(),
        "Tensor": _tensor(),
        "TensorMetadata": _described("name", "datatype", "shape"),
        "InferRequest": _infer_request(),
        "InferResponse": _infer_response(),
        "Session": _who(),
    }


def _error() -> Schema:
    properties: Schema = {
        "error": {"type": "string", "description": "What was wrong, and what would be right."},
        "code": {"type": "string", "enum": sorted({error.code for error in STATUS})},
        "detail": {"type": "object", "description": "The same for programs."},
        "request_id": {"type": "string"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _text() -> Schema:
    b64: Schema = {"type": "string", "contentEncoding": "base64"}
    encoded: Schema = {
        "type": "object",
        "properties": {"b64": b64},
        "required": ["b64"],
        "additionalProperties": False,
        "description": "Bytes that are not UTF-8.",
    }
    return {"anyOf": [{"type": "string"}, encoded]}


_TENSOR: Schema = {
    "name": {"type": "string"},
    "datatype": {"type": "string", "enum": [dtype.value for dtype in DType]},
    "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}},
    "parameters": {"type": "object"},
    "data": {
        "type": "array",
        "description": "The elements in row order, flat or nested as the shape; left out where"
        " they follow the JSON as binary data.",
    },
}


def _described(*required: str) -> Schema:
    properties = {name: _TENSOR[name] for name in required}
    return {"type": "object", "properties": properties, "required": list(required)}


def _tensor() -> Schema:
    required = ["name", "datatype", "shape"]
    return {"type": "object", "properties": dict(_TENSOR), "required": required}


def _infer_request() -> Schema:
    wanted: Schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
        "required": ["name"],
    }
    properties: Schema = {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": ref("schemas", "Tensor"), "minItems": 1},
        "outputs": {"type": "array", "items": wanted},
    }
    return {"type": "object", "properties": properties, "required": ["inputs"]}


def _infer_response() -> Schema:
    properties: Schema = {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": ref("schemas", "Tensor")},
    }
    required = ["model_name", "model_version", "outputs"]
    return {"type": "object", "properties": properties, "required": required}


def _who() -> Schema:
    text: Schema = {"type": ["string", "null"]}
    yes_or_no: Schema = {"type": "boolean"}
    right: Schema = {"type": "string", "enum": ["read", "infer", "admin"]}
    properties: Schema = {
        "signed_in": yes_or_no | {"description": "By the cookie."},
        "principal": text | {"description": "The key's name, or its id where it has none."},
        "role": text,
        "needs_key": yes_or_no
        | {"description": "Whether the caller needs a key, or to be signed in, to see anything."},
        "csrf": text | {"description": f"What the header {CSRF} has to say."},
        "permissions": {"type": "array", "items": right},
        "public_apps": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The models whose apps the caller may use without a key.",
        },
    }
    return {"type": "object", "properties": properties, "required": list(properties)}
