"""Plain JSON: `POST /models/{name}/predict`, the way a person would write it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TypeAlias

from modelport.core.errors import UnsupportedMedia
from modelport.core.messages import InferResponse
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import Version
from modelport.engine.opening import Described
from modelport.guard.policy import Permission
from modelport.http.bodies import accepted, media_type
from modelport.http.inference import ARRAY_BYTES, TEXT_BYTES, Codec, inference, unpacked
from modelport.http.multipart import boundary, form_parts
from modelport.http.routes import Route
from modelport.http.terms import terms_of
from modelport.http.wire import JSON, Handler, Head, Reply
from modelport.monitor.metrics import ModelMetrics
from modelport.semantics.bare import read_file, read_form, read_text
from modelport.semantics.fields import PlainView
from modelport.semantics.labels import answer_json
from modelport.semantics.plain import PlainRequest
from modelport.semantics.table import answer_csv, answer_npy, read_csv, read_npy

__all__ = ["ANSWERS", "BODIES", "plain_routes"]

MetricsOf: TypeAlias = Callable[[str, str, str], ModelMetrics]
"""From a model, a version and a protocol to where their requests are counted."""

BODIES = {
    "": "json",
    "application/json": "json",
    "application/x-www-form-urlencoded": "json",  # what `curl -d` says of anything
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-npy": "npy",
    "application/x-numpy": "npy",
    "multipart/form-data": "form",
    "text/plain": "text",
    "application/octet-stream": "file",
}
"""And `image/…` and `audio/…`, of whatever kind: the file itself says what it is."""
ANSWERS = {"application/json": "json", "text/csv": "csv", "application/x-npy": "npy"}
_LONG = {"npy": ARRAY_BYTES, "form": ARRAY_BYTES, "file": sys.maxsize}
"""From how many bytes on a body takes long to decode; a file is not even looked at."""
_CONTENT = {
    "json": JSON,
    "csv": b"content-type: text/csv; charset=utf-8\r\n",
    "npy": b"content-type: application/x-npy\r\n",
}


def plain_routes(
    engine: Engine, metrics_of: MetricsOf, timeout_s: float, max_body_bytes: int
) -> list[Route]:
    """The routes that answer in plain JSON, CSV or npy."""

    def prepare(head: Head, params: Mapping[str, str]) -> Handler:
        version = engine.find(params.get("name"), params.get("version"))
        metrics = metrics_of(version.name, version.version, "plain")
        head.metrics = metrics  # first, so that what is refused from here on is the version's
        version.check_served()

        def codec_of(described: Described) -> Codec[bool]:
            return unpacked(head, _codec(head, version, described), max_body_bytes)

        def again() -> Handler:
            return prepare(head, params)

        return inference(engine, version, codec_of, metrics, terms_of(head, timeout_s), again)

    def route(path: str, *, of_app: bool) -> Route:
        infer = Permission.INFER
        return Route(method="POST", path=path, permission=infer, prepare=prepare, of_app=of_app)

    # Which model `/predict` means changes with what is served, and so whom it would let in.
    return [
        route("/predict", of_app=False),
        route("/models/{name}/predict", of_app=True),
        route("/models/{name}/versions/{version}/predict", of_app=True),
    ]


def _codec(head: Head, version: Version, described: Described) -> Codec[bool]:
    """The codec for what the head says of body and answer; it remembers whether one row came."""
    kind = _body_kind(head)
    return Codec(
        decode=_decoder(kind, head, described),
        encode=_encoder(accepted(head, ANSWERS, "json"), version, described),
        written=_written_with_masks if _has_masks(described.view) else _written,
        checks_limits=True,
        long_bytes=_LONG.get(kind, TEXT_BYTES),
    )


def _has_masks(view: PlainView) -> bool:
    return any(output.meaning.kind == "mask" for output in view.outputs)


def _written(response: InferResponse, single: bool) -> int:
    return sum(tensor.size for tensor in response.outputs.values())


def _written_with_masks(response: InferResponse, single: bool) -> int:
    """With the pixels of the pictures that were sent, as large as which masks are made."""
    frames = (frame for each in response.frames.values() for frame in each)
    return _written(response, single) + sum(frame.width * frame.height for frame in frames)


def _body_kind(head: Head) -> str:
    media = media_type(head)
    kind = "file" if media.startswith(("image/", "audio/")) else BODIES.get(media)
    if kind is None:
        known = ", ".join(name for name in BODIES if name and "form" not in name)
        raise UnsupportedMedia(
            f"a body of type '{media}' is not understood; send one of {known}, image/…, audio/…"
        )
    return kind


def _decoder(kind: str, head: Head, described: Described) -> Callable[[bytes], PlainRequest]:
    view = described.view
    match kind:
        case "csv":
            return lambda body: read_csv(view, body)
        case "npy":
            return lambda body: read_npy(view, body)
        case "file":
            return lambda body: read_file(view, body)
        case "text":
            return lambda body: read_text(view, body)
        case "form":
            separator = boundary(head)
            return lambda body: read_form(view, form_parts(body, separator))
        case _:
            return described.decode_json


def _encoder(
    kind: str, version: Version, described: Described
) -> Callable[[InferResponse, bool], Reply]:
    view, answer = described.view, described.answer
    prefix = b"HTTP/1.1 200 OK\r\n%bx-model-version: %b\r\n" % (
        _CONTENT[kind],
        version.version.encode(),
    )
    if kind == "csv":
        # A table has rows, one too: a row of three numbers has three columns.
        return lambda response, single: (
            prefix,
            answer_csv(answer(response.outputs, False, response.frames)),
        )
    if kind == "npy":
        return lambda response, single: (prefix, answer_npy(view, response.outputs))
    return lambda response, single: (
        prefix,
        answer_json(answer(response.outputs, single, response.frames)),
    )
