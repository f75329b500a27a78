"""The calls of the API: what each sends, and how its answer is read. No I/O.

Every call here may be sent twice without harm: an inference changes nothing on the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from modelport.client import oip, plain
from modelport.client.answers import Reply, decode_json
from modelport.core.errors import InvalidInput
from modelport.core.messages import Parameter, Priority
from modelport.core.tensors import Array, Batch

__all__ = [
    "Call",
    "ModelState",
    "Request",
    "infer",
    "live",
    "metadata",
    "models",
    "predict",
    "ready",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One HTTP request, under the server's url."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and the meaning of its successful answer."""

    request: Request
    decode: Callable[[Reply], T]


class ModelState(msgspec.Struct, frozen=True):
    """What a server says of one version of a model."""

    name: str
    version: str | None = None
    """None where no version could be loaded."""
    state: str = ""
    """Such as `ready`, `loading` or `failed`."""
    reason: str | None = None
    """Why it is not ready."""


def predict(
    model: str | None,
    data: object,
    version: str | int | None,
    priority: Priority | None = None,
) -> Call[dict[str, object]]:
    """A prediction in plain JSON; without a model, of the only one served."""
    if model is None and version is not None:
        raise InvalidInput(f"version {version} of which model? Name the model as well")
    where = "" if model is None else f"/models/{_segment(model)}{_version(version)}"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= _asking(priority)
    request = Request("POST", f"{where}/predict", headers, plain.encode(data))
    return Call(request, _object)


def infer(
    model: str,
    inputs: Batch,
    version: str | int | None,
    outputs: Iterable[str],
    parameters: Mapping[str, Parameter] | None = None,
    priority: Priority | None = None,
) -> Call[dict[str, Array]]:
    """An inference on named tensors, as the Open Inference Protocol has it."""
    body = oip.encode(inputs, outputs, parameters or {})
    headers = {
        "Content-Type": "application/octet-stream",
        oip.HEADER_LENGTH: str(body.header_length),
        **_asking(priority),
    }
    path = f"/v2/models/{_segment(model)}{_version(version)}/infer"
    return Call(Request("POST", path, headers, body.content), oip.decode)


def models() -> Call[list[ModelState]]:
    """Every model that the caller may see."""
    return Call(Request("GET", "/models"), lambda reply: decode_json(reply, list[ModelState]))


def metadata(model: str, version: str | int | None) -> Call[dict[str, object]]:
    """What a model takes and gives, as the Open Inference Protocol describes it."""
    return Call(Request("GET", f"/v2/models/{_segment(model)}{_version(version)}"), _object)


def live() -> Call[None]:
    """Succeeds when the server runs."""
    return Call(Request("GET", "/v2/health/live"), _nothing)


def ready(model: str | None) -> Call[None]:
    """Succeeds when the server, or one of its models, can answer inferences."""
    path = "/v2/health" if model is None else f"/v2/models/{_segment(model)}"
    return Call(Request("GET", f"{path}/ready"), _nothing)


def _asking(priority: Priority | None) -> dict[str, str]:
    return {} if priority is None else {"X-Priority": priority}


def _object(reply: Reply) -> dict[str, object]:
    return decode_json(reply, dict[str, object])


def _nothing(reply: Reply) -> None:
    return None


def _segment(name: str) -> str:
    if not isinstance(name, str):
        raise InvalidInput(
            f"a {type(name).__name__} came where a model's name belongs: predict(model, data), and"
            " predict(None, data) for the only model that is served"
        )
    # An empty or dotted segment would be another path once a proxy has normalised it.
    if name in ("", ".", ".."):
        raise InvalidInput(f"{name!r} is no name of a model or version")
    return quote(name, safe="")


def _version(version: str | int | None) -> str:
    return "" if version is None else f"/versions/{_segment(str(version))}"
