"""The Open Inference Protocol v2 over REST, with the binary tensor extension.

Source: Open Inference Protocol v2 REST, and the extensions that Triton documents for binary
tensor data, classification, model configuration and statistics
(https://github.com/kserve/open-inference-protocol,
https://github.com/triton-inference-server/server/tree/main/docs/protocol).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson

from modelport.core.errors import InvalidInput, UnsupportedMedia
from modelport.core.messages import InferRequest, InferResponse
from modelport.core.semantics import OutputMeaning
from modelport.core.signature import fits, show_shape, sizes
from modelport.core.tensors import Array, DType, bytes_tensor, from_raw, to_raw
from modelport.engine.facade import Engine
from modelport.engine.opening import Described
from modelport.guard.policy import Permission, prioritise
from modelport.http.bodies import NOT_JSON, media_type, not_json
from modelport.http.inference import TEXT_BYTES, Codec, inference, packed, unpacked
from modelport.http.oip_data import decode_data, encode_data
from modelport.http.oip_parameters import flag, own_parameters, priority_of, timeout_of
from modelport.http.plain import MetricsOf
from modelport.http.routes import Route
from modelport.http.terms import Terms, terms_of
from modelport.http.wire import JSON, Handler, Head, Reply, reply
from modelport.semantics.files import file_bytes

__all__ = ["WireInput", "WireOutput", "WireRequest", "infer_routes"]

_HEADER_LENGTH = b"inference-header-content-length"
_MEDIA = ("", "application/json", "application/octet-stream", "application/x-www-form-urlencoded")


class WireInput(msgspec.Struct):
    """One input tensor of a request."""

    name: str
    datatype: str
    shape: list[int]
    data: msgspec.Raw = msgspec.Raw()
    parameters: dict[str, Any] | None = None


class WireOutput(msgspec.Struct):
    """One output that a request asks for."""

    name: str
    parameters: dict[str, Any] | None = None


class WireRequest(msgspec.Struct):
    """The JSON part of a request; fields that it does not know are extensions, and ignored."""

    inputs: list[WireInput]
    id: str | None = None
    outputs: list[WireOutput] | None = None
    parameters: dict[str, Any] | None = None


_parse = msgspec.json.Decoder(WireRequest).decode


def infer_routes(
    engine: Engine, metrics_of: MetricsOf, timeout_s: float, max_body_bytes: int
) -> list[Route]:
    """The routes that run a model."""

    def prepare(head: Head, params: Mapping[str, str]) -> Handler:
        version = engine.find(params["name"], params.get("version"))
        metrics = metrics_of(version.name, version.version, "oip")
        head.metrics = metrics  # first, so that what is refused from here on is the version's
        version.check_served()
        _check_media(head)
        length, terms = _header_length(head), terms_of(head, timeout_s)

        def codec_of(described: Described) -> Codec[WireRequest]:
            codec = unpacked(head, _codec(described, length, terms), max_body_bytes)
            return packed(head, codec)

        def again() -> Handler:
            return prepare(head, params)

        return inference(engine, version, codec_of, metrics, terms, again)

    paths = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")
    return [
        Route(method="POST", path=path, permission=Permission.INFER, prepare=prepare)
        for path in paths
    ]


def _check_media(head: Head) -> None:
    media = media_type(head)
    if media not in _MEDIA:
        raise UnsupportedMedia(
            f"inference takes application/json, or application/octet-stream with binary tensors,"
            f" not '{media}'"
        )


def _header_length(head: Head) -> int | None:
    value = head.get(_HEADER_LENGTH)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 18:
        raise InvalidInput(
            "Inference-Header-Content-Length is the size in bytes of the JSON part, and"
            f" {value[:40].decode('latin-1')!r} came"
        )
    return int(value)


def _codec(described: Described, header_length: int | None, terms: Terms) -> Codec[WireRequest]:
    timeout_s = terms.timeout_s

    def refine(request: InferRequest, wire: WireRequest) -> None:
        if wire.outputs:
            request.outputs = _output_names(wire.outputs)
        if wire.parameters:
            if described.description.takes_parameters:
                request.parameters = own_parameters(wire.parameters)
            assert request.deadline is not None
            request.deadline -= timeout_s - timeout_of(wire.parameters, timeout_s)
            asked = priority_of(wire.parameters)
            if asked is not None:
                request.priority = prioritise(terms.principal, asked)

    return Codec(
        decode=lambda body: _decode(described, body, header_length),
        encode=lambda response, wire: _encode(described, response, wire),
        written=_written,
        refine=refine,
        long_bytes=_long_bytes(described, header_length),
    )


def _long_bytes(described: Described, header_length: int | None) -> int:
    """From which size on a body takes long to decode."""
    if header_length is None or header_length > TEXT_BYTES:
        return TEXT_BYTES
    fields = (*described.view.tensors, *described.view.sources.values())
    if any(field.dtype is DType.BYTES for field in fields):
        return TEXT_BYTES  # its elements are cut out one by one
    return sys.maxsize  # numbers in binary are not even copied


# -- requests


def _decode(
    described: Described, body: bytes, header_length: int | None
) -> tuple[dict[str, Array], WireRequest]:
    if header_length is not None and header_length > len(body):
        raise InvalidInput(
            f"Inference-Header-Content-Length is {header_length}, and the whole body has"
            f" {len(body)} bytes"
        )
    text = body if header_length is None else body[:header_length]
    try:
        wire = _parse(text)
    except NOT_JSON as error:
        raise not_json(error, text) from error
    binary = memoryview(body)[len(text) :]
    inputs: dict[str, Array] = {}
    for item in wire.inputs:
        if item.name in inputs:
            raise InvalidInput(f"input '{item.name}' is given twice", tensor=item.name)
        inputs[item.name], used = _tensor(described, item, binary)
        binary = binary[used:]
    if len(binary):
        raise InvalidInput(f"{len(binary)} bytes of binary data belong to no input")
    return inputs, wire


def _output_names(outputs: Sequence[WireOutput]) -> tuple[str, ...]:
    names = tuple(item.name for item in outputs)
    if len(set(names)) != len(names):
        raise InvalidInput("an output is asked for twice", got=list(names))
    return names


def _tensor(described: Described, item: WireInput, binary: memoryview) -> tuple[Array, int]:
    """The tensor, and how many bytes of the binary data it took."""
    source = described.view.source(item.name, item.datatype)
    spec = source.tensor if source else described.view.signature.input(item.name)
    if item.datatype != spec.dtype.value:
        raise InvalidInput(
            f"input '{item.name}' takes {spec.dtype.value}, and {item.datatype[:20]!r} came",
            tensor=item.name,
            expected=spec.dtype.value,
            got=item.datatype[:20],
        )
    shape = tuple(item.shape)
    if not fits(shape, spec.shape) or any(size <= 0 for size in shape):
        # Asked before the data is read: a shape may claim anything.
        raise InvalidInput(
            f"input '{item.name}' takes the shape {show_shape(spec.shape)}, with sizes of at least"
            f" 1, and {show_shape(shape)[:200]} came",
            tensor=item.name,
            expected=sizes(spec.shape),
            got=shape[:64],
        )
    parameters = item.parameters or {}
    if "shared_memory_region" in parameters:
        raise InvalidInput("this server takes tensors in the request, not in shared memory")
    if "binary_data_size" not in parameters:
        if not memoryview(item.data).nbytes:
            raise InvalidInput(f"input '{item.name}' has no data", tensor=item.name)
        tensor = decode_data(item.name, spec.dtype, shape, item.data)
        if source is not None and source.is_file:  # JSON carries the bytes of files as base64
            files = [file_bytes(source, text.decode()) for text in tensor.ravel().tolist()]
            tensor = bytes_tensor(files, shape)
        return tensor, 0
    if memoryview(item.data).nbytes:
        raise InvalidInput(
            f"input '{item.name}' has both 'data' and 'binary_data_size'", tensor=item.name
        )
    size = parameters["binary_data_size"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(binary):
        raise InvalidInput(
            f"input '{item.name}': binary_data_size is {str(size)[:40]}, and {len(binary)} bytes of"
            " binary data are left",
            tensor=item.name,
        )
    tensor = from_raw(item.name, binary[:size], spec.dtype, shape)
    # The JSON before it may have any length, and runtimes read numbers at multiples of their size.
    # What goes to another process is copied to such a place anyway.
    is_fine = tensor.flags.aligned or described.description.execution == "remote"
    return tensor if is_fine else tensor.copy(), size


# -- answers


def _encode(described: Described, response: InferResponse, wire: WireRequest) -> Reply:
    binary_default = flag(wire.parameters, "binary_data_output", False)
    wanted = {item.name: item.parameters for item in wire.outputs or ()}
    items: list[dict[str, Any]] = []
    raws: list[bytes] = []
    for name, tensor in response.outputs.items():
        parameters = wanted.get(name) or {}
        if "classification" in parameters:
            tensor = _classified(described, name, tensor, parameters["classification"])
        item: dict[str, Any] = {
            "name": name,
            "datatype": DType.of(tensor.dtype).value,
            "shape": tensor.shape,
        }
        if flag(parameters, "binary_data", binary_default):
            raw = to_raw(tensor)
            item["parameters"] = {"binary_data_size": len(raw)}
            raws.append(raw)
        else:
            item["data"] = encode_data(name, tensor)
        items.append(item)
    answer: dict[str, Any] = {
        "model_name": response.model,
        "model_version": response.version,
        "outputs": items,
    }
    if wire.id is not None:
        answer["id"] = wire.id
    text = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    served_by = b"x-model-version: %b\r\n" % response.version.encode()
    if not raws:
        return reply(b"200 OK", JSON + served_by, text)
    headers = (
        b"content-type: application/octet-stream\r\ninference-header-content-length: %d\r\n"
        % len(text)
    )
    return reply(b"200 OK", headers + served_by, b"".join((text, *raws)))


def _written(response: InferResponse, wire: WireRequest) -> int:
    """How many elements are written one by one: those in JSON, and texts in either form."""
    default = flag(wire.parameters, "binary_data_output", False)
    wanted = {item.name: item.parameters for item in wire.outputs or ()}
    return sum(
        tensor.size
        for name, tensor in response.outputs.items()
        if tensor.dtype == np.object_ or not flag(wanted.get(name), "binary_data", default)
    )


def _classified(described: Described, name: str, scores: Array, count: object) -> Array:
    """The classification extension: the `count` best of each row as `score:index:label`."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise InvalidInput(f"output '{name}': classification is a number of classes, at least 1")
    if scores.ndim == 0 or scores.dtype == np.object_:
        raise InvalidInput(f"output '{name}' has no scores to classify")
    names = described.semantics.outputs.get(name, OutputMeaning()).classes
    rows = scores.reshape(-1, scores.shape[-1]).astype(np.float64)
    best = np.argsort(-rows, axis=-1, kind="stable")[:, : min(count, rows.shape[-1])]
    texts = [
        ":".join([f"{row[at]:f}", str(at), *([str(names[at])] if len(names) > at else [])]).encode()
        for row, places in zip(rows, best.tolist(), strict=True)
        for at in places
    ]
    return bytes_tensor(texts, (*scores.shape[:-1], best.shape[-1]))
