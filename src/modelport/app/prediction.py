"""One answer from a model's file, with the bytes that a server would send."""

from __future__ import annotations

from collections.abc import Callable

from modelport.app.local import LocalModel, open_path
from modelport.core.errors import ConfigError
from modelport.engine.opening import LoadedModel
from modelport.http.bodies import NOT_JSON, not_json
from modelport.semantics.bare import file_field, read_file, read_text, text_field
from modelport.semantics.files import FILES
from modelport.semantics.labels import answer_json
from modelport.semantics.plain import PlainRequest
from modelport.semantics.table import answer_csv, read_csv, read_npy

__all__ = ["predict_bytes"]


def predict_bytes(argument: str, trusted: frozenset[str], body: bytes, kind: str) -> bytes:
    """The answer to a body of the kind that a file's name ends with: CSV for CSV, else JSON.

    Raises:
        ConfigError: another kind of body, for a model that takes no files.
        InvalidInput: the body does not fit the model.
        LoadError: the model cannot be loaded.
    """
    readers: dict[str, Callable[[LoadedModel, bytes], PlainRequest]] = {
        "json": _read_json,
        "csv": lambda loaded, body: read_csv(loaded.view, body),
        "npy": lambda loaded, body: read_npy(loaded.view, body),
        "txt": lambda loaded, body: read_text(loaded.view, body),
        **dict.fromkeys(FILES, lambda loaded, body: read_file(loaded.view, body)),
    }
    loaded = open_path(argument, trusted)
    with LocalModel(loaded) as model:
        if kind not in readers and file_field(loaded.view) is None:
            raise ConfigError(f"input files are .{', .'.join(readers)}; not '.{kind}'")
        request = readers.get(kind, readers[FILES[0]])(loaded, body)
        prepared = loaded.prepared(request.inputs)
        answer = loaded.answer(model.run(prepared.inputs), request.single, prepared.frames)
    return answer_csv(answer) if kind == "csv" else answer_json(answer)


def _read_json(loaded: LoadedModel, body: bytes) -> PlainRequest:
    try:
        return loaded.decode_json(body)
    except NOT_JSON as error:
        if text_field(loaded.view) is not None and body[:1] not in (b"{", b"[", b'"'):
            return read_text(loaded.view, body)  # as a person types it
        raise not_json(error, body) from error
