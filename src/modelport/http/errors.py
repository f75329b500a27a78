"""Errors as HTTP answers: one table, one shape."""

from __future__ import annotations

import math
from http import HTTPStatus

import orjson

from modelport.core import errors
from modelport.core.errors import Internal, ModelportError
from modelport.http.wire import Reply, reply

__all__ = ["STATUS", "error_body", "error_headers", "error_reply", "fault", "status_of"]

STATUS: dict[type[ModelportError], int] = {
    errors.ModelportError: 500,
    errors.InvalidInput: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.ModelNotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.LimitExceeded: 429,
    errors.Overloaded: 503,
    errors.NotReady: 503,
    errors.DeadlineExceeded: 504,
    errors.ModelFailed: 500,
    errors.Internal: 500,
    errors.LoadError: 500,
    errors.CorruptModel: 500,
    errors.UntrustedModel: 500,
    errors.MissingLibrary: 500,
    errors.UnsupportedModel: 500,
    errors.ConfigError: 400,
}
"""The status of each error, by its class."""


def fault() -> Internal:
    """What callers are told of an exception that nobody expected."""
    return Internal("something failed inside the server; its log has the request's id")


def status_of(error: ModelportError) -> int:
    """The status of an error; `detail["status"]` says it where HTTP itself has a finer one."""
    finer = error.detail.get("status")
    if isinstance(finer, int) and 400 <= finer < 600:
        return finer
    # A model may raise a class of its own, which is what the nearest of ours is.
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def error_headers(error: ModelportError) -> dict[str, str]:
    """What an error's answer says in headers, by their names."""
    headers = {"content-type": "application/json"}
    if status_of(error) == 401:
        headers["www-authenticate"] = 'Bearer realm="modelport"'
    allow = error.detail.get("allow")
    if isinstance(allow, str):
        headers["allow"] = allow
    if error.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
    return headers


def error_body(error: ModelportError, request_id: str) -> bytes:
    """The one shape in which every error reaches a caller."""
    detail = {key: value for key, value in error.detail.items() if key != "status"}
    shape = {
        "error": error.message,
        "code": error.code,
        "detail": detail,
        "request_id": request_id,
    }
    try:
        return orjson.dumps(shape, option=orjson.OPT_SERIALIZE_NUMPY, default=str)
    except TypeError:
        # A detail shows what the caller sent, and that may be an integer of more than 64 bits or
        # half of a surrogate pair.
        shape["detail"] = {key: ascii(value) for key, value in detail.items()}
        shape["error"] = error.message.encode(errors="backslashreplace").decode()
        return orjson.dumps(shape)


def error_reply(error: ModelportError, request_id: bytes) -> Reply:
    """The answer for an error."""
    status = status_of(error)
    lines = "".join(f"{name}: {value}\r\n" for name, value in error_headers(error).items())
    line = b"%d %b" % (status, HTTPStatus(status).phrase.encode())
    return reply(line, lines.encode("latin-1"), error_body(error, request_id.decode()))
