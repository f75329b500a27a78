"""The bytes of a file as plain JSON and Python have them."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from modelport.core.errors import InvalidInput
from modelport.semantics.fields import InputField

__all__ = ["FILES", "bytes_of", "file_bytes", "is_file_value"]

FILES = ("avif", "bmp", "gif", "jp2", "jpeg", "jpg", "png", "tif", "tiff", "wav", "webp")
"""How the names of files that can be values end, in small letters."""


def is_file_value(value: object) -> bool:
    """Whether a value stands for a file, or a list of values does; numbers do not."""
    while isinstance(value, list | tuple) and value:
        value = next((item for item in value if item is not None), None)
    return isinstance(value, str | bytes | bytearray | Mapping | PurePath) or _is_picture(value)


def file_bytes(field: InputField, value: object) -> bytes:
    """The bytes that a value stands for.

    Args:
        field: names the source in errors.
        value: base64 text, with or without `data:…;base64,` before it; `{"b64": text}`; from
            Python also bytes, a path, or a picture of Pillow's.

    Raises:
        InvalidInput: it is none of these, or its base64 is damaged.
    """
    if isinstance(value, Mapping) and set(value) == {"b64"}:
        value = value["b64"]
    own = bytes_of(value)
    if own is not None:
        return own
    if not isinstance(value, str):
        raise InvalidInput(
            f"'{field.name}' takes {_article(field)} file as base64 text, and"
            f" {type(value).__name__} came",
            tensor=field.name,
        )
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(
            f"'{field.name}' takes {_article(field)} file as base64 text, and"
            f" {value[:40]!r} is not base64: {error}",
            tensor=field.name,
        ) from error


def bytes_of(value: object) -> bytes | None:
    """What Python has for a file: bytes, a path, or a picture of Pillow's; None for anything else.

    No protocol has such a value: a caller's path is never read.
    """
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, Path):
        try:
            return value.read_bytes()
        except OSError as error:
            raise InvalidInput(f"the file '{value}' cannot be read: {error.strerror}") from error
    return _png(value) if _is_picture(value) else None


def _article(field: InputField) -> str:
    return "an image" if field.kind == "image" else "an audio"


def _is_picture(value: Any) -> bool:
    """Whether it is one of Pillow's, asked without importing it."""
    return type(value).__module__.startswith("PIL.") and hasattr(value, "save")


def _png(picture: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="PNG", compress_level=1)
    return out.getvalue()
