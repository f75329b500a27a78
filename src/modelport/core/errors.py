"""Every error that Modelport raises on purpose.

    ModelportError            root; catch it to catch all of the below
    ├── InvalidInput          the request's content is wrong (the tensor, expected and got)
    ├── Unauthenticated       no key was given, or one that nobody issued
    ├── Forbidden             the caller is known and may not do this
    ├── NotFound              there is nothing under this address
    │   └── ModelNotFound     no such model or version, or not yours to see
    ├── MethodNotAllowed      the address exists, with another HTTP method
    ├── PayloadTooLarge       the body, or what it unpacks to, is over its bound
    ├── UnsupportedMedia      a content type or encoding that is not understood
    ├── LimitExceeded         the caller is over its own limit
    ├── Overloaded            the server has no room now; try again after `retry_after_s`
    ├── NotReady              the model is loading, or failed to load
    ├── DeadlineExceeded      the answer would come after the time when it was wanted
    ├── ModelFailed           the model raised while it ran
    ├── Internal              a fault of Modelport itself
    ├── LoadError             a file cannot be served
    │   ├── CorruptModel      the file is damaged, empty or not what its name says
    │   ├── UntrustedModel    loading it could run code, and its digest is not allowed
    │   ├── MissingLibrary    the library that reads this format is not installed
    │   └── UnsupportedModel  well-formed, but outside what the runtime can serve
    └── ConfigError           a setting, a `model.toml`, a `pipeline.toml` or a command is wrong

An error carries facts: `message` for people, `detail` for programs. Transports map each class
to their own status in one table, which a test compares with this tree. A message never holds a
path of the server, a stack trace or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

__all__ = [
    "ConfigError",
    "CorruptModel",
    "DeadlineExceeded",
    "Forbidden",
    "Internal",
    "InvalidInput",
    "LimitExceeded",
    "LoadError",
    "MethodNotAllowed",
    "MissingLibrary",
    "ModelFailed",
    "ModelNotFound",
    "ModelportError",
    "NotFound",
    "NotReady",
    "Overloaded",
    "PayloadTooLarge",
    "Unauthenticated",
    "UnsupportedMedia",
    "UnsupportedModel",
    "UntrustedModel",
    "error_from_code",
]


class ModelportError(Exception):
    """The root of all errors; `code` is its stable name on the wire."""

    code: ClassVar[str] = "ERROR"

    def __init__(self, message: str, /, **detail: object) -> None:
        super().__init__(message)
        self.message = message
        self.detail: dict[str, object] = detail

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which another try makes sense, where the error knows them."""
        value = self.detail.get("retry_after_s")
        return float(value) if isinstance(value, int | float) else None


class InvalidInput(ModelportError):
    """The request's content is wrong; names the tensor, what was expected and what came."""

    code = "INVALID_INPUT"


class Unauthenticated(ModelportError):
    """No key was given, or one that nobody issued."""

    code = "UNAUTHENTICATED"


class Forbidden(ModelportError):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"


class NotFound(ModelportError):
    """There is nothing under this address."""

    code = "NOT_FOUND"


class ModelNotFound(NotFound):
    """No such model or version, or not yours to see."""

    code = "MODEL_NOT_FOUND"

    @classmethod
    def named(cls, name: str) -> ModelNotFound:
        """Of a model that is not served here, with as much of its name as is worth telling."""
        return cls(f"there is no model {name[:128]!r} here")


class MethodNotAllowed(ModelportError):
    """The address exists, with another HTTP method."""

    code = "METHOD_NOT_ALLOWED"


class PayloadTooLarge(ModelportError):
    """The body, or what it unpacks to, is over its bound."""

    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMedia(ModelportError):
    """A content type or encoding that is not understood."""

    code = "UNSUPPORTED_MEDIA"


class LimitExceeded(ModelportError):
    """The caller is over its own limit."""

    code = "LIMIT_EXCEEDED"


class Overloaded(ModelportError):
    """The server has no room now."""

    code = "OVERLOADED"


class NotReady(ModelportError):
    """The model is loading, or failed to load."""

    code = "NOT_READY"


class DeadlineExceeded(ModelportError):
    """The answer would come after the time when it was wanted."""

    code = "DEADLINE_EXCEEDED"


class ModelFailed(ModelportError):
    """The model raised while it ran."""

    code = "MODEL_FAILED"


class Internal(ModelportError):
    """A fault of Modelport itself."""

    code = "INTERNAL"


class LoadError(ModelportError):
    """A file cannot be served."""

    code = "LOAD_FAILED"

    def __init__(self, message: str, in_full: str | None = None, /, **detail: object) -> None:
        """
        Args:
            message: for callers; holds nothing that a model's code said, which may be a secret.
            in_full: for whoever runs the process, who reads it as `str(error)`.
            detail: facts for programs.
        """
        super().__init__(message, **detail)
        self.args = (message if in_full is None else in_full,)


class CorruptModel(LoadError):
    """The file is damaged, empty or not what its name says."""

    code = "CORRUPT_MODEL"


class UntrustedModel(LoadError):
    """Loading it could run code, and its digest is not on the operator's list."""

    code = "UNTRUSTED_MODEL"


class MissingLibrary(LoadError):
    """The library that reads this format is not installed; the message has the command."""

    code = "MISSING_LIBRARY"


class UnsupportedModel(LoadError):
    """Well-formed, but outside what the runtime can serve."""

    code = "UNSUPPORTED_MODEL"


class ConfigError(ModelportError):
    """A setting, a `model.toml`, a `pipeline.toml` or a command line is wrong."""

    code = "CONFIG"


def _tree(root: type[ModelportError]) -> dict[str, type[ModelportError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


_BY_CODE = _tree(ModelportError)


def error_from_code(code: str, message: str, detail: Mapping[str, object]) -> ModelportError:
    """Rebuild an error that crossed a wire; an unknown code gives the root class."""
    return _BY_CODE.get(code, ModelportError)(message, **dict(detail))
