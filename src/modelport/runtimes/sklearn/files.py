"""Reading scikit-learn's files: `.skops` by the reviewed list, pickles that the operator allows."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import joblib  # type: ignore[import-untyped]
import skops.io  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator  # type: ignore[import-untyped]
from sklearn.exceptions import InconsistentVersionWarning  # type: ignore[import-untyped]

from modelport.core.errors import (
    CorruptModel,
    MissingLibrary,
    ModelportError,
    UnsupportedModel,
    UntrustedModel,
)
from modelport.runtimes._conversion import content, first_line
from modelport.runtimes.base import LoadOptions
from modelport.runtimes.sklearn.checks import check_file, check_fitted
from modelport.runtimes.sklearn.trusted import unreviewed

__all__ = ["Loaded", "read"]

_NAMED = 5
"""How many refused types an error names."""


class Loaded(NamedTuple):
    """An estimator, and what its owner should know about the file."""

    estimator: Any
    warnings: tuple[str, ...]


def read(path: Path, options: LoadOptions) -> Loaded:
    """The estimator in a file.

    Raises:
        CorruptModel: the file is damaged, or its arrays do not fit each other.
        UntrustedModel: it builds types that are not reviewed, and its digest is not trusted.
        UnsupportedModel: it holds something other than an estimator.
        MissingLibrary: it was made with a library that is not installed.
    """
    # The libraries' warnings are about their own code; the one for the owner is passed on.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _open(path, options)
    if not isinstance(found, BaseEstimator):
        raise UnsupportedModel(
            f"'{path.name}' holds a {type(found).__name__}, not a scikit-learn estimator;"
            " save the fitted estimator itself: skops.io.dump(model, 'model.skops')"
        )
    return Loaded(found, _told(caught))


def _open(path: Path, options: LoadOptions) -> object:
    read_file = _read_skops if path.suffix.lower() == ".skops" else _read_pickle
    try:
        return read_file(path, options)
    except ModelportError:
        raise
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"'{path.name}' was made with the library '{error.name}', which is not installed;"
            " install it beside Modelport"
        ) from error
    except BadZipFile as error:
        raise CorruptModel(
            f"'{path.name}' is not a .skops file: it is no zip archive, or was cut short"
        ) from error
    except Exception as error:  # a library fails in any way on a damaged file
        # A pickle is a program, whose words may hold anything.
        shown = type(error).__name__ if read_file is _read_pickle else first_line(error)
        damaged = f"'{path.name}' is damaged: "
        raise CorruptModel(f"{damaged}{shown}", f"{damaged}{error!r}") from error


def _read_pickle(path: Path, options: LoadOptions) -> object:
    return joblib.load(io.BytesIO(content(path, options)))


def _read_skops(path: Path, options: LoadOptions) -> object:
    data = content(path, options)
    trusted = options.digest in options.trusted
    if not trusted:
        _review(path, data, options)
    found = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    if not trusted:
        check_fitted(found)
    return found


def _review(path: Path, data: bytes, options: LoadOptions) -> None:
    with ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
        refused = unreviewed(schema)
        if not refused:
            check_file(schema, archive)
            return
    named = ", ".join(refused[:_NAMED])
    rest = len(refused) - _NAMED
    more = f" and {rest} more" if rest > 0 else ""
    raise UntrustedModel(
        f"'{path.name}' was not loaded: it builds {named}{more}, which Modelport has not reviewed"
        " as safe. If you made this file yourself, allow it by its digest:"
        f" --trust sha256:{options.digest}",
        digest=options.digest,
        types=refused[:_NAMED],
    )


def _told(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    versions = {
        (w.message.original_sklearn_version, w.message.current_sklearn_version)
        for w in caught
        if isinstance(w.message, InconsistentVersionWarning)
    }
    return tuple(
        f"The file was made with scikit-learn {made}, and {here} is installed: answers may differ;"
        " train it again, or install that version."
        for made, here in sorted(versions)
    )
