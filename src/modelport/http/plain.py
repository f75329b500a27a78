"""Plain JSON: `POST /models/{name}/predict`, the way a person would write it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from modelport.core.errors import UnsupportedMedia
from modelport.core.messages import InferRequest, InferResponse
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import LoadedModel, Version
from modelport.guard.policy import Permission
from modelport.http.bodies import (
    NOT_JSON,
    accepted,
    media_type,
    not_json,
    time_allowed,
    unpacked,
)
from modelport.http.routes import Route
from modelport.http.wire import JSON, Handler, Head, Reply
from modelport.monitor.metrics import ModelMetrics
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
}
ANSWERS = {"application/json": "json", "text/csv": "csv", "application/x-npy": "npy"}

_Encode: TypeAlias = Callable[[InferResponse, bool], bytes]


def plain_routes(
    engine: Engine, metrics_of: MetricsOf, timeout_s: float, max_body_bytes: int
) -> list[Route]:
    """The routes that answer in plain JSON, CSV or npy."""

    def prepare(head: Head, params: Mapping[str, str]) -> Handler:
        version = engine.find(params.get("name"), params.get("version"))
        loaded = version.loaded
        metrics = metrics_of(version.name, version.version, "plain")
        head.failed = metrics.failed
        decode = _decoder(head, loaded)
        encode, content = _encoder(head, loaded)
        prefix = b"HTTP/1.1 200 OK\r\n%bx-model-version: %b\r\n" % (
            content,
            version.version.encode(),
        )
        seconds = time_allowed(head, timeout_s)
        handler = _handler(engine, version, loaded, decode, encode, prefix, metrics, seconds)
        return unpacked(head, handler, max_body_bytes, seconds)

    paths = ("/predict", "/models/{name}/predict", "/models/{name}/versions/{version}/predict")
    return [
        Route(method="POST", path=path, permission=Permission.INFER, prepare=prepare)
        for path in paths
    ]


def _handler(
    engine: Engine,
    version: Version,
    loaded: LoadedModel,
    decode: Callable[[bytes], PlainRequest],
    encode: _Encode,
    prefix: bytes,
    metrics: ModelMetrics,
    timeout_s: float,
) -> Handler:
    clock, monotonic, infer = time.perf_counter, time.monotonic, engine.infer

    def finish(response: InferResponse, single: bool, decode_s: float) -> Reply:
        started = clock()
        body = encode(response, single)
        encode_s = clock() - started
        rows = 1 if single else _rows(response)
        metrics.answered(decode_s, response.queue_s, response.run_s, encode_s, rows)
        return prefix, body

    async def later(answer: Awaitable[InferResponse], single: bool, decode_s: float) -> Reply:
        return finish(await answer, single, decode_s)

    def handle(body: bytes) -> Reply | Awaitable[Reply]:
        started = clock()
        try:
            plain = decode(body)
        except NOT_JSON as error:
            raise not_json(error, body) from error
        decode_s = clock() - started
        request = InferRequest(inputs=plain.inputs, deadline=monotonic() + timeout_s)
        answer = infer(version, loaded, request)
        if type(answer) is InferResponse:
            return finish(answer, plain.single, decode_s)
        return later(answer, plain.single, decode_s)  # type: ignore[arg-type]  # else awaitable

    return handle


def _rows(response: InferResponse) -> int:
    tensor = next(iter(response.outputs.values()))
    return tensor.shape[0] if tensor.ndim else 1


def _decoder(head: Head, loaded: LoadedModel) -> Callable[[bytes], PlainRequest]:
    kind = BODIES.get(media_type(head))
    view = loaded.view
    if kind == "json":
        return loaded.decode_json
    if kind == "csv":
        return lambda body: read_csv(view, body)
    if kind == "npy":
        return lambda body: read_npy(view, body)
    known = ", ".join(name for name in BODIES if name and "form" not in name)
    raise UnsupportedMedia(
        f"a body of type '{media_type(head)}' is not understood; send one of {known}"
    )


def _encoder(head: Head, loaded: LoadedModel) -> tuple[_Encode, bytes]:
    """What writes the answer, and the header lines that say what it is."""
    kind = accepted(head, ANSWERS, "json")
    view, answer = loaded.view, loaded.answer
    if kind == "csv":
        content = b"content-type: text/csv; charset=utf-8\r\n"
        # A table has rows, one too: a row of three numbers has three columns.
        return lambda response, single: answer_csv(view, answer(response.outputs, False)), content
    if kind == "npy":
        content = b"content-type: application/x-npy\r\n"
        return lambda response, single: answer_npy(view, response.outputs), content
    return lambda response, single: answer_json(answer(response.outputs, single)), JSON
