"""Errors as HTTP answers: one table, one shape."""

from __future__ import annotations

import math
from http import HTTPStatus

import orjson

from modelport.core import errors
from modelport.core.errors import ModelportError
from modelport.http.wire import JSON, Reply, reply

__all__ = ["STATUS", "error_body", "error_reply", "status_of"]

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


def status_of(error: ModelportError) -> int:
    """The status of an error; `detail["status"]` says it where HTTP itself has a finer one."""
    finer = error.detail.get("status")
    return finer if isinstance(finer, int) else STATUS[type(error)]


def error_body(error: ModelportError, request_id: str) -> bytes:
    """The one shape in which every error reaches a caller."""
    detail = {key: value for key, value in error.detail.items() if key != "status"}
    shape = {
        "error": error.message,
        "code": error.code,
        "detail": detail,
        "request_id": request_id,
    }
    return orjson.dumps(shape, option=orjson.OPT_SERIALIZE_NUMPY, default=str)


def error_reply(error: ModelportError, request_id: bytes) -> Reply:
    """The answer for an error."""
    status = status_of(error)
    headers = JSON
    if status == 401:
        headers += b'www-authenticate: Bearer realm="modelport"\r\n'
    allow = error.detail.get("allow")
    if isinstance(allow, str):
        headers += b"allow: " + allow.encode() + b"\r\n"
    if error.retry_after_s is not None:
        headers += b"retry-after: %d\r\n" % math.ceil(error.retry_after_s)
    line = b"%d %s" % (status, HTTPStatus(status).phrase.encode())
    return reply(line, headers, error_body(error, request_id.decode()))
