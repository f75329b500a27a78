"""The addresses that are the same for every model, as the OpenAPI document describes each."""

from __future__ import annotations

from dataclasses import dataclass, field

from modelport.core.messages import PRIORITIES
from modelport.http.openapi_components import CSRF, SINCE, ref
from modelport.http.openapi_schemas import Schema
from modelport.monitor.metrics import CONTENT_TYPE

__all__ = ["ABOUT", "JSON", "TAGS", "About"]

JSON = "application/json"
_OIP, _CATALOG, _HEALTH = "Open Inference Protocol", "Model catalogue", "Server health"
_KEYS, _SESSION, _DOCS = "Access keys", "Signing in", "This documentation"
_REPOSITORY, _APP = "Model repository", "Web application"
_FIGURES, _OWNER = "Server figures", "Model ownership"

TAGS = {
    _CATALOG: "Which models are served, in our own words.",
    _OIP: "Version 2 over REST, for clients of other servers; with the binary tensor extension.",
    _HEALTH: "Whether the server lives and is ready, and what it has counted.",
    _REPOSITORY: "Load, unload and reload models while the server runs.",
    _OWNER: "Versions, aliases and recent errors of a model, for whoever may change them.",
    _FIGURES: "What the server does now, did within the last hour, and what runs take.",
    _KEYS: "Who may call.",
    _APP: "The pages in which people use the models, and their files.",
    _SESSION: "For browsers: a key, or a link, is exchanged for a cookie.",
    _DOCS: "The pages for people, and the document that they are made from.",
}
"""The groups of these addresses; names with a space, which no model's name has."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of an operation besides its method, path and permission."""

    id: str
    tag: str
    summary: str
    media: str = JSON
    answer: Schema = field(default_factory=lambda: {"type": "object"})
    body: Schema | None = None
    status: int = 200
    or_503: bool = False
    """Whether "not yet" is answered in the same shape with status 503."""
    refused: tuple[int, ...] = ()
    """With which errors, besides those that the permission may end in."""
    parameters: tuple[str, ...] = ()
    """Headers and queries, by their names among the components."""
    takes_away: bool = False
    """Whether it ends what somebody may miss, as each DELETE does: a page asks first."""


def _fields(**types: str) -> Schema:
    properties = {name: {"type": kind} for name, kind in types.items()}
    return {"type": "object", "properties": properties, "required": list(types)}


_LISTED = ref("schemas", "ListedModel")
_KEY = _fields(id="string", role="string", name="string", created="string", priority="string")
_MADE = _fields(key="string", id="string", role="string", name="string", priority="string")
_SIGN_IN: Schema = {
    "anyOf": [
        _fields(**{name: "string"}) | {"additionalProperties": False} for name in ("key", "link")
    ]
}
_NEW_KEY: Schema = {
    "type": "object",
    "properties": {
        "role": {"type": "string", "enum": ["infer", "admin"]},
        "name": {"type": "string"},
        "priority": {"type": "string", "enum": [*PRIORITIES], "default": "normal"},
    },
    "required": ["role"],
    "additionalProperties": False,
}
_TEXT: Schema = {"type": "string"}
_METADATA: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": {"type": "array", "items": ref("schemas", "TensorMetadata")},
        "outputs": {"type": "array", "items": ref("schemas", "TensorMetadata")},
    },
    "required": ["name", "versions", "platform", "inputs", "outputs"],
}

ABOUT = {
    "POST /models/{name}/predict": About(
        id="any_version_predict",
        tag=_CATALOG,
        summary="Predict with a model",
        body={"description": "As for the model itself, with the fields of this version."},
        answer={"type": "object", "description": "As for the model itself."},
    ),
    "GET /models": About(
        id="models",
        tag=_CATALOG,
        summary="The models that are served, each version with its state",
        answer={"type": "array", "items": _LISTED},
    ),
    "GET /models/{name}": About(
        id="model",
        tag=_CATALOG,
        summary="A model: state, fields, meaning, example; one that is not served is listed only",
        answer={"anyOf": [{"allOf": [_LISTED, ref("schemas", "ModelFacts")]}, _LISTED]},
    ),
    "POST /v2/repository/index": About(
        id="oip_repository_index",
        tag=_REPOSITORY,
        summary="The versions of every model, with their states",
        body={"type": "object", "properties": {"ready": {"type": "boolean"}}},
        answer={
            "type": "array",
            "items": _fields(name="string", version="string", state="string", reason="string"),
        },
    ),
    "POST /v2/repository/models/{name}/load": About(
        id="oip_repository_load",
        tag=_REPOSITORY,
        summary="Serve a model that was unloaded, or try one again that failed",
    ),
    "POST /v2/repository/models/{name}/unload": About(
        id="oip_repository_unload",
        tag=_REPOSITORY,
        summary="Serve a model no longer, until it is loaded again or the server starts anew",
        takes_away=True,
    ),
    "POST /admin/models/reload": About(
        id="models_reload",
        tag=_REPOSITORY,
        summary="Serve what lies in the repository now",
        answer=_fields(problems="array"),
    ),
    "GET /v2": About(
        id="oip_server",
        tag=_OIP,
        summary="The server's name, version and extensions",
        answer=_fields(name="string", version="string", extensions="array"),
    ),
    "GET /v2/health/live": About(
        id="live",
        tag=_HEALTH,
        summary="Whether the server runs",
        answer=_fields(live="boolean"),
    ),
    "GET /v2/health/ready": About(
        id="ready",
        tag=_HEALTH,
        summary="Whether the server can predict",
        answer=_fields(ready="boolean"),
        or_503=True,
    ),
    "GET /metrics": About(
        id="metrics",
        tag=_HEALTH,
        summary="What all workers have counted, for Prometheus",
        media=CONTENT_TYPE.partition(";")[0],
        answer={"type": "string"},
    ),
    "GET /v2/models/stats": About(
        id="oip_stats",
        tag=_OIP,
        summary="Counts and durations of every model",
        answer=_fields(model_stats="array"),
    ),
    "GET /v2/models/{name}": About(
        id="oip_model",
        tag=_OIP,
        summary="The tensors that a model takes and gives",
        answer=_METADATA,
    ),
    "GET /v2/models/{name}/ready": About(
        id="oip_model_ready",
        tag=_OIP,
        summary="Whether a model can predict",
        answer=_fields(name="string", ready="boolean"),
        or_503=True,
    ),
    "GET /v2/models/{name}/config": About(
        id="oip_model_config", tag=_OIP, summary="A model's configuration, as Triton writes it"
    ),
    "GET /v2/models/{name}/stats": About(
        id="oip_model_stats",
        tag=_OIP,
        summary="Counts and durations of a model",
        answer=_fields(model_stats="array"),
    ),
    "POST /v2/models/{name}/infer": About(
        id="oip_infer",
        tag=_OIP,
        summary="Run a model on tensors",
        body=ref("schemas", "InferRequest"),
        answer=ref("schemas", "InferResponse"),
    ),
    "GET /server/overview": About(
        id="overview",
        tag=_FIGURES,
        summary="What the server does now",
        answer=ref("schemas", "Overview"),
    ),
    "GET /server/events": About(
        id="events",
        tag=_FIGURES,
        summary="The same once a second, as server-sent events named `overview`",
        media="text/event-stream",
        answer={"type": "string"},
    ),
    "GET /server/history": About(
        id="history",
        tag=_FIGURES,
        summary="What the server did within the last hour",
        answer=ref("schemas", "History"),
        refused=(400,),
        parameters=(SINCE,),
    ),
    "GET /models/{name}/history": About(
        id="model_history",
        tag=_FIGURES,
        summary="What a model did within the last hour",
        answer=ref("schemas", "History"),
        refused=(400,),
        parameters=(SINCE,),
    ),
    "GET /models/{name}/cost": About(
        id="model_cost",
        tag=_FIGURES,
        summary="What runs of a model take, by their size",
        answer=ref("schemas", "CostCurves"),
    ),
    "GET /server/errors": About(
        id="errors",
        tag=_OWNER,
        summary="The last requests that ended in an error: to run a model, or that reached none",
        answer=ref("schemas", "RecentErrors"),
    ),
    "GET /models/{name}/errors": About(
        id="model_errors",
        tag=_OWNER,
        summary="The last requests to run a model that ended in an error",
        answer=ref("schemas", "RecentErrors"),
    ),
    "GET /admin/models/{name}": About(
        id="owned_model",
        tag=_OWNER,
        summary="Every version of a model, on disk or served, and where its aliases point",
        answer=ref("schemas", "OwnedModel"),
    ),
    "POST /admin/models/{name}/aliases/{alias}": About(
        id="promote",
        tag=_OWNER,
        summary="Have an alias point to a version; answered once all workers act on it",
        body=ref("schemas", "AliasWanted"),
        answer=ref("schemas", "AliasMoved"),
        parameters=(CSRF,),
    ),
    "POST /admin/models/{name}/aliases/{alias}/rollback": About(
        id="roll_back",
        tag=_OWNER,
        summary="Have an alias point to the version that it pointed to before",
        answer=ref("schemas", "AliasMoved"),
        parameters=(CSRF,),
    ),
    "DELETE /admin/models/{name}/aliases/{alias}": About(
        id="forget_alias",
        tag=_OWNER,
        summary="Forget an alias",
        answer=ref("schemas", "AliasMoved"),
        refused=(400,),
        parameters=(CSRF,),
    ),
    "GET /admin/keys": About(
        id="keys",
        tag=_KEYS,
        summary="All keys, without their secrets",
        answer={"type": "array", "items": _KEY},
    ),
    "POST /admin/keys": About(
        id="create_key",
        tag=_KEYS,
        summary="Make a key; shown for this one time",
        body=_NEW_KEY,
        answer=_MADE,
        status=201,
    ),
    "DELETE /admin/keys/{id}": About(
        id="revoke_key",
        tag=_KEYS,
        summary="Revoke a key; it stops working here at once, and within two seconds elsewhere",
    ),
    "GET /session": About(
        id="session",
        tag=_SESSION,
        summary="Who a page calls for",
        answer=ref("schemas", "Session"),
        refused=(403,),
    ),
    "POST /session": About(
        id="sign_in",
        tag=_SESSION,
        summary="Sign in: the answer sets the session's cookie",
        body=_SIGN_IN,
        answer=ref("schemas", "Session"),
        refused=(400, 401, 403, 413, 503),
    ),
    "DELETE /session": About(
        id="sign_out",
        tag=_SESSION,
        summary="Sign out: the answer takes the cookie back",
        answer=ref("schemas", "Session"),
        refused=(403,),
        parameters=(CSRF,),
    ),
    "GET /docs": About(
        id="docs", tag=_DOCS, summary="The pages for people", media="text/html", answer=_TEXT
    ),
    "GET /docs/{group}": About(
        id="docs_group",
        tag=_DOCS,
        summary="The addresses of a model, or of a group",
        media="text/html",
        answer=_TEXT,
    ),
    "GET /": About(id="app_home", tag=_APP, summary="All models", media="text/html", answer=_TEXT),
    "GET /sign-in": About(
        id="app_sign_in", tag=_APP, summary="To sign in", media="text/html", answer=_TEXT
    ),
    "GET /overview": About(
        id="app_overview", tag=_APP, summary="The server", media="text/html", answer=_TEXT
    ),
    "GET /apps/{name}": About(
        id="app_model", tag=_APP, summary="A model to try", media="text/html", answer=_TEXT
    ),
    "GET /apps/{name}/{view}": About(
        id="app_view", tag=_APP, summary="More of a model", media="text/html", answer=_TEXT
    ),
    "GET /batch": About(
        id="app_batch", tag=_APP, summary="Many rows", media="text/html", answer=_TEXT
    ),
    "GET /compare": About(
        id="app_compare", tag=_APP, summary="Two versions", media="text/html", answer=_TEXT
    ),
    "GET /about": About(
        id="app_about", tag=_APP, summary="What it is", media="text/html", answer=_TEXT
    ),
    "GET /assets/{file}": About(
        id="app_asset", tag=_APP, summary="A program or a style", media="*/*", answer=_TEXT
    ),
    "GET /openapi.json": About(
        id="openapi", tag=_DOCS, summary="This server as an OpenAPI 3.1 document"
    ),
}
