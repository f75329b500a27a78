"""The OpenAPI 3.1 document: for each model exactly its fields, and every other address.

Source: OpenAPI Specification 3.1.0 (https://spec.openapis.org/oas/v3.1.0).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from modelport.engine.facade import Engine
from modelport.engine.lifecycle import Version
from modelport.engine.opening import Described
from modelport.http.openapi_answers import answer_schema
from modelport.http.openapi_components import REQUEST_ID, SERVED_BY, components, ref
from modelport.http.openapi_requests import form_schema, request_schema, row_schema
from modelport.http.openapi_routes import TERMS, operation, refusals, security
from modelport.http.openapi_schemas import Schema
from modelport.http.openapi_table import TAGS
from modelport.http.plain import ANSWERS
from modelport.http.routes import Route
from modelport.semantics.bare import file_field, text_field
from modelport.semantics.example import example_request
from modelport.semantics.fields import PlainView

__all__ = ["document"]

_ONLY, _NAMED = "/predict", "/models/{name}/predict"


def document(
    engine: Engine, routes: Iterable[Route], title: str, version: str
) -> dict[str, object]:
    """What the server answers now: models that are known with their own fields and an example.

    One that waits for its first request is described by that: nothing is loaded for the document.

    Args:
        engine: what is served.
        routes: the table of all routes; each is in the document, and nothing else is.
        title: the server's name.
        version: the server's version.

    Raises:
        KeyError: a route is described nowhere.
    """
    models = {name: engine.find(name) for name in engine.names}
    ready = {name: known for name, v in models.items() if (known := _known(v)) is not None}
    paths: dict[str, Schema] = {}
    for route in routes:
        for path, described in _operations(route, models, ready):
            paths.setdefault(path, {})[route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "tags": [_model_tag(model) for model in models.values()] + _tags(),
        "paths": paths,
        "components": components(_schemas(ready)),
    }


def _operations(
    route: Route, models: Mapping[str, Version], ready: Mapping[str, Described]
) -> Iterator[tuple[str, Schema]]:
    """The paths that a route stands for, each with its operation."""
    if route.path == _NAMED:
        for name, known in ready.items():
            yield f"/models/{name}/predict", _predict(route, name, known, f"predict_{name}")
    elif route.path == _ONLY:
        for name, known in ready.items() if len(models) == 1 else ():
            yield _ONLY, _predict(route, name, known, "predict")
    else:
        yield route.path, operation(route, models)


def _predict(route: Route, name: str, known: Described, operation_id: str) -> Schema:
    view = known.view
    example = _example(view)
    said = [known.semantics.description, _advice(name) if example is None else None]
    described: Schema = {
        "operationId": operation_id,
        "tags": [name],
        "summary": known.semantics.title or f"Predict with {name}",
    }
    if any(said):
        described["description"] = "\n\n".join(filter(None, said))
    return described | {
        "security": security(route),
        "parameters": TERMS,
        "requestBody": {"required": True, "content": _bodies(name, view, example)},
        "responses": {"200": _answer(name)} | refusals(route),
    }


def _bodies(name: str, view: PlainView, example: object) -> Schema:
    """What may be sent, by media type."""
    json: Schema = {"schema": ref("schemas", f"{name}.Request")}
    if example is not None:
        json["example"] = example
    bodies: Schema = {"application/json": json}
    kinds = {field.kind for field in view.fields if field.is_file}
    if kinds:
        bodies["multipart/form-data"] = {"schema": form_schema(view)}
    if file_field(view) is not None:
        bodies[f"{view.fields[0].kind}/*"] = {}
    if text_field(view) is not None:
        bodies["text/plain"] = {"schema": {"type": "string"}}
    if (view.is_tabular and not kinds) or _is_list(view):
        header = "with a header of the fields' names" if view.is_tabular else "without a header"
        table: Schema = {"schema": {"type": "string", "description": f"Rows, {header}."}}
        text = _csv(view, example)
        bodies["text/csv"] = table | ({"example": text} if text else {})
    if (view.is_tabular and not kinds) or len(view.tensors) == 1:
        axes = "[rows, fields]" if view.is_tabular and not kinds else "the only input"
        raw = f"the only input, '{view.tensors[0].name}'" if kinds else axes
        bodies["application/x-npy"] = _npy(f"One array, as {raw}.")
    return bodies


def _answer(name: str) -> Schema:
    said: dict[str, Schema] = {
        "json": {"schema": ref("schemas", f"{name}.Answer")},
        "csv": {"schema": {"type": "string", "description": "A header, and a line for each row."}},
        "npy": _npy("The predictions of all rows as one array."),
    }
    return {
        "description": "One row in, one row out; many rows in, many rows out.",
        "headers": {SERVED_BY: ref("headers", SERVED_BY), REQUEST_ID: ref("headers", REQUEST_ID)},
        "content": {media: said[kind] for media, kind in ANSWERS.items()},
    }


def _npy(description: str) -> Schema:
    return {"schema": {"contentMediaType": "application/x-npy", "description": description}}


def _is_list(view: PlainView) -> bool:
    """Whether a row is one list, so that CSV without a header has its values."""
    return len(view.owners) == 1 and len(view.fields[0].shape) == 1 and not view.fields[0].is_file


def _example(view: PlainView) -> object:
    # TOML can say NaN, which JSON writes as null.
    return msgspec.json.decode(msgspec.json.encode(example_request(view)))


def _csv(view: PlainView, example: object) -> str | None:
    """The example as CSV, where it is one row of single values."""
    if not view.is_tabular or not isinstance(example, dict):
        return None
    row = [example.get(field.name) for field in view.fields]
    if any(isinstance(value, list | dict) for value in row) or len(row) != len(example):
        return None
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(example)
    writer.writerow([str(v).lower() if isinstance(v, bool) else v for v in example.values()])
    return out.getvalue()


def _advice(name: str) -> str:
    return (
        "A request is too long to show as an example. Large tensors are best sent as binary data,"
        f" with the Open Inference Protocol: `/v2/models/{name}/infer`."
    )


def _schemas(ready: Mapping[str, Described]) -> dict[str, Schema]:
    schemas: dict[str, Schema] = {}
    for name, known in ready.items():
        row = f"{name}.Row"
        schemas[row] = row_schema(known.view)
        schemas[f"{name}.Request"] = request_schema(known.view, ref("schemas", row))
        schemas[f"{name}.Answer"] = answer_schema(known.view)
    return schemas


def _known(version: Version) -> Described | None:
    return version.described if version.is_served else None


def _model_tag(version: Version) -> Schema:
    """A model as a group: its meaning, or why it cannot be used."""
    tag: Schema = {
        "name": version.name,
        "x-model": {"version": version.version, "state": version.state.value},
    }
    known = _known(version)
    if known is None:
        return tag | {"description": f"{version.not_ready().message.rstrip('.')}."}
    said = [known.semantics.title, known.semantics.description, *known.description.warnings]
    tag["x-model"] = {
        "version": version.version,
        "state": version.state.value,
        "runtime": known.description.runtime,
    }
    return tag | ({"description": "\n\n".join(filter(None, said))} if any(said) else {})


def _tags() -> list[Schema]:
    return [{"name": name, "description": description} for name, description in TAGS.items()]
