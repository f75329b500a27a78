"""`modelport.load`: a model in this process, for notebooks and for views of other frameworks."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from modelport.app.fetching import local
from modelport.app.spec import state_folder
from modelport.app.trust import trusted_before
from modelport.core.errors import ConfigError, ModelFailed, ModelportError
from modelport.core.settings import Fetching
from modelport.core.signature import Signature
from modelport.core.tensors import Batch
from modelport.engine.opening import LoadedModel, Settings, open_version
from modelport.kit.cpus import available_cpus
from modelport.kit.storage import private_folder
from modelport.repository import integrity
from modelport.repository.layout import Source, find_sources
from modelport.runtimes.base import run_alone
from modelport.runtimes.formats import is_model
from modelport.semantics.labels import Answer
from modelport.semantics.plain import read
from modelport.semantics.table import frame_columns

__all__ = ["LocalModel", "load", "open_path", "open_source"]

_log = logging.getLogger(__name__)


def load(path: str | Path, *, trust: str | None = None, threads: int = 0) -> LocalModel:
    """Load a model from a file into this process.

    Args:
        path: the file, or `FILE.py:NAME` for a class or function; or the URL of a file or folder
            (`s3://`, `gs://`, `https://`), which is fetched first.
        trust: the digest (`sha256:...`) of a file that may run code when it is loaded.
        threads: CPU threads for one prediction; 0 means all that this process may use.

    Raises:
        ConfigError: there is no such file, it is a folder of several models, its `model.toml` is
            wrong, or `trust` is no digest.
        LoadError: the file cannot be loaded; says why and what to do.
    """
    trusted = trusted_before() | integrity.trusted_digests([] if trust is None else [trust])
    return LocalModel(open_path(local(str(path), Fetching()), trusted, threads))


def open_path(argument: str, trusted: frozenset[str], threads: int = 0) -> LoadedModel:
    """The one model that a command line's argument means; raises as `load`."""
    sources = find_sources(argument, is_model)
    if len(sources) != 1:
        names = ", ".join(sorted({source.name for source in sources})[:8])
        raise ConfigError(f"'{argument}' holds several models ({names}): name one file")
    return open_source(sources[0], trusted, threads)


def open_source(source: Source, trusted: frozenset[str], threads: int = 0) -> LoadedModel:
    """A model in this process; raises as `load`."""
    if source.attribute is not None:  # naming a class in a program is consent to run it
        trusted |= {integrity.digest(Path(source.path))}
    settings = Settings(
        threads=threads or available_cpus(), trusted=trusted, cache_dir=_cache_folder()
    )
    return open_version(source, settings)


def _cache_folder() -> Path | None:
    try:
        return private_folder(private_folder(state_folder()) / "cache")
    except ConfigError as error:
        _log.warning("conversions of models are not kept: %s", error.message)
        return None


class LocalModel:
    """A loaded model; safe to use from several threads, which then wait for each other."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def signature(self) -> Signature:
        """The named, typed inputs and outputs."""
        return self._loaded.description.signature

    def predict(self, data: Any) -> Any:
        """The model's answer, in the form that the data came in.

        Args:
            data: a plain request (a dict, a list of records, a list), the same with numpy arrays,
                a numpy array, or a pandas or polars DataFrame.

        Returns:
            for plain data a dict with Python values; for arrays a dict with arrays, or an array
            for an array alone; for a DataFrame one of the same library, with the same index.

        Raises:
            InvalidInput: the data does not fit; says which field, what was expected, what came.
            ModelFailed: the model raised; the cause is chained.
            ConfigError: the model was closed.
        """
        frame = frame_columns(data)
        view = self._loaded.view
        request = read(view, data if frame is None else frame)
        prepared = self._loaded.prepared(request.inputs)
        view.signature.check(prepared.inputs)
        answer = self._loaded.answer(self.run(prepared.inputs), request.single, prepared.frames)
        if frame is not None:
            return _as_frame(data, answer)
        if isinstance(data, np.ndarray) and len(answer) == 1:
            return np.asarray(*answer.values())
        given = data.values() if isinstance(data, dict) else [data]
        keeps_arrays = any(isinstance(value, np.ndarray) for value in given)
        return answer if keeps_arrays else _python(answer)

    def close(self) -> None:
        """Give the model's memory back; it is not used afterwards."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._loaded.model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, inputs: Batch) -> Batch:
        """The output tensors for input tensors that fit the signature; raises as `predict`."""
        try:
            with self._lock:
                if self._is_closed:
                    raise ConfigError("the model was closed: load it again")
                outputs = run_alone(self._loaded.model, inputs)
                return _awaited(outputs) if inspect.isawaitable(outputs) else outputs
        except ModelportError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            raise ModelFailed(f"the model raised {type(error).__name__}: {error}") from error


def _awaited(outputs: Any) -> Batch:
    async def wait() -> Batch:
        return await outputs  # type: ignore[no-any-return]  # by the Model protocol

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    with ThreadPoolExecutor(1) as thread:  # a notebook's loop cannot run another one inside
        return thread.submit(asyncio.run, wait()).result()


def _python(value: Any) -> Any:
    """The same without numpy: floats of float32 keep their value, not more digits."""
    if isinstance(value, dict):
        return {key: _python(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_python(item) for item in value]
    if isinstance(value, np.ndarray):
        return _python(list(value)) if value.dtype == np.float32 else value.tolist()
    if isinstance(value, np.float32):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def _as_frame(frame: Any, answer: Answer) -> Any:
    columns: dict[str, Any] = {}
    for name, value in answer.items():
        rows = list(value)
        if rows and isinstance(rows[0], dict):
            columns |= {f"{name}.{key}": [row[key] for row in rows] for key in rows[0]}
        else:
            columns[name] = rows if isinstance(value, list) or value.ndim > 1 else value
    index = getattr(frame, "index", None)
    return type(frame)(columns) if index is None else type(frame)(columns, index=index)
