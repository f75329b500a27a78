"""Tensors over the Open Inference Protocol v2, as bytes behind a JSON header in both directions.

Source: Open Inference Protocol v2, inference and the binary tensor data extension
(https://github.com/kserve/open-inference-protocol).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from modelport.client.answers import Reply, decode_json, not_understood
from modelport.core.errors import InvalidInput
from modelport.core.messages import Parameter
from modelport.core.tensors import Array, Batch, DType, bytes_tensor, from_raw, to_raw

__all__ = ["HEADER_LENGTH", "TensorBody", "decode", "encode"]

HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class TensorBody:
    """The body of an inference request, and how much of its beginning is JSON."""

    content: bytes
    header_length: int


class _Parameters(msgspec.Struct):
    binary_data_size: int | None = None


class _Output(msgspec.Struct):
    name: str
    datatype: DType
    shape: tuple[int, ...]
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)
    data: list[object] | None = None


class _Answer(msgspec.Struct):
    outputs: list[_Output]


def encode(
    inputs: Batch, outputs: Iterable[str], parameters: Mapping[str, Parameter]
) -> TensorBody:
    """The request for these tensors, which asks for its answer in bytes too.

    Raises:
        InvalidInput: a value is no array, or of a type that the protocol lacks; names the input.
    """
    described: list[dict[str, object]] = []
    raws: list[bytes] = []
    for name, tensor in inputs.items():
        raw = to_raw(_sendable(name, tensor))
        raws.append(raw)
        described.append(
            {
                "name": name,
                "datatype": DType.of(tensor.dtype).value,
                "shape": tensor.shape,
                "parameters": {"binary_data_size": len(raw)},
            }
        )
    document: dict[str, object] = {
        "inputs": described,
        "parameters": {**parameters, "binary_data_output": True},
    }
    if named := [{"name": name, "parameters": {"binary_data": True}} for name in outputs]:
        document["outputs"] = named
    header = msgspec.json.encode(document)
    return TensorBody(b"".join([header, *raws]), len(header))


def decode(reply: Reply) -> dict[str, Array]:
    """The tensors of an answer, in its order; numbers share the answer's memory, read-only.

    Raises:
        Internal: the answer is not one of this protocol.
    """
    length = reply.headers.get(HEADER_LENGTH.lower(), str(len(reply.body)))
    if not length.isdecimal() or int(length) > len(reply.body):
        raise not_understood(reply, f"{HEADER_LENGTH} is {length[:40]!r}")
    answer = decode_json(reply, _Answer, reply.body[: int(length)])
    try:
        return dict(_tensors(answer, memoryview(reply.body)[int(length) :]))
    except (InvalidInput, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise not_understood(reply, str(error)) from error


def _sendable(name: str, tensor: Array) -> Array:
    """The array, with every text in it as its UTF-8."""
    if not isinstance(tensor, np.ndarray):
        raise InvalidInput(
            f"input '{name}' is a {type(tensor).__name__}, and infer() takes numpy arrays, whose"
            " type is not guessed: np.array(..., dtype=...)",
            tensor=name,
        )
    if DType.of(tensor.dtype) is not DType.BYTES:
        return tensor
    return bytes_tensor([_element(name, value) for value in tensor.flat], tensor.shape)


def _element(name: str, value: object) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"input '{name}' holds half of a surrogate pair", tensor=name
            ) from error
    raise InvalidInput(
        f"input '{name}' holds a {type(value).__name__}, and an array of objects takes bytes or"
        " text: give numbers a numeric dtype",
        tensor=name,
    )


def _tensors(answer: _Answer, raw: memoryview) -> Iterator[tuple[str, Array]]:
    at = 0
    for output in answer.outputs:
        size = output.parameters.binary_data_size
        if size is None:
            yield output.name, _from_json(output)
            continue
        part = raw[at : at + size]
        yield output.name, from_raw(output.name, part, output.datatype, output.shape)
        at += size


def _from_json(output: _Output) -> Array:
    """The tensor of a server that answers in JSON, flat or nested."""
    if output.datatype is not DType.BYTES:
        return np.array(output.data, dtype=output.datatype.numpy).reshape(output.shape)
    texts = np.array(output.data, dtype=np.object_).ravel()
    return bytes_tensor([text.encode() for text in texts], output.shape)
