"""Bodies that are one value and nothing else: a picture, a recording, a text; and forms of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from modelport.core.errors import InvalidInput, UnsupportedMedia
from modelport.core.tensors import DType
from modelport.semantics.fields import InputField, PlainView
from modelport.semantics.plain import PlainRequest, names_of, read

__all__ = ["file_field", "read_file", "read_form", "read_text", "text_field"]


def file_field(view: PlainView) -> InputField | None:
    """The field that a file alone can fill: the model's only one, and one of files."""
    only = view.fields[0] if len(view.fields) == 1 else None
    return only if only is not None and only.is_file else None


def text_field(view: PlainView) -> InputField | None:
    """The field that a text alone can fill: the model's only one, and one of text."""
    only = view.fields[0] if len(view.fields) == 1 else None
    is_text = only is not None and only.dtype is DType.BYTES and not only.is_file
    return only if is_text and only is not None and only.shape == () else None


def read_file(view: PlainView, body: bytes) -> PlainRequest:
    """One row from a body that is a file.

    Raises:
        UnsupportedMedia: the model takes more than a file, or none.
    """
    field = file_field(view)
    if field is None:
        raise UnsupportedMedia(
            f"this model takes {names_of(view)}, not a file alone: send JSON or multipart/form-data"
        )
    return read(view, {field.name: body})


def read_text(view: PlainView, body: bytes) -> PlainRequest:
    """One row from a body that is a text; a line break at its end is not of it.

    Raises:
        UnsupportedMedia: the model takes more than a text, or none.
        InvalidInput: the body is not UTF-8.
    """
    field = text_field(view)
    if field is None:
        raise UnsupportedMedia(f"this model takes {names_of(view)}, not a text alone: send JSON")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8: {error.reason}") from error
    return read(view, {field.name: text.removesuffix("\n").removesuffix("\r")})


def read_form(view: PlainView, parts: Mapping[str, Sequence[bytes]]) -> PlainRequest:
    """The rows of a form: files as they are, anything else as JSON or text by the field's type.

    A name that comes several times has as many rows. A single part of any name fills the model's
    only field.

    Raises:
        InvalidInput: names the field, what was expected and what came.
    """
    if len(parts) == 1 and len(view.fields) == 1:
        parts = {view.fields[0].name: next(iter(parts.values()))}
    known = {field.name: field for field in (*view.tensors, *view.fields)}
    body: dict[str, object] = {}
    for name, contents in parts.items():
        values = [_value(known.get(name), content) for content in contents]
        body[name] = values[0] if len(values) == 1 else values
    return read(view, body)


def _value(field: InputField | None, content: bytes) -> object:
    if field is None or field.is_file:
        return content  # `read` has the words for a name that is unknown
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"'{field.name}' is not UTF-8 text: {error.reason}", tensor=field.name
        ) from error
    if field.dtype is DType.BYTES:
        return text
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return text
