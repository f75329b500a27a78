"""What a `.keras` archive would do when it is loaded, told without Keras.

Keras's own safe mode refuses functions that were pickled. Loading calls more than those, though:
every class and function that `config.json` names is looked up and called with what stands beside
it (CVE-2025-1550, CVE-2025-8747, CVE-2025-9906), a vocabulary may be the name of any file
(CVE-2025-12058), and HDF5 reads what other files hold. Here only what builds layers is allowed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from modelport.core.errors import CorruptModel

__all__ = ["WEIGHTS", "unknown_parts"]

WEIGHTS = "model.weights.h5"
_CONFIG = "config.json"
_ENTRIES = {_CONFIG, "metadata.json", WEIGHTS}
_LARGEST_CONFIG_BYTES = 64 << 20
_LARGEST_GROWTH = 64
"""How much larger than the archive its content may be: weights are stored as they are."""
_LEAST_BYTES = 16 << 20
"""What any archive may grow to."""
_MOST_ENTRIES = 10_000
_PARTS = ("layers", "ops", "initializers", "regularizers", "constraints", "activations")
_TRAINING = ("optimizers", "losses", "metrics", "random", "dtype_policies")
_MODULES = (*(f"keras.{n}" for n in (*_PARTS, *_TRAINING)), "keras.optimizers.schedules")
_INNER = (*(f"keras.src.{name}" for name in (*_PARTS, *_TRAINING)), "keras.src.models")
_TOP = {"DTypePolicy", "Functional", "Model", "Sequential", "Variable"}
_DATA = {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}
_PROGRAMS = {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper", "__lambda__"}
_FILES = {"vocabulary", "idf_weights"}
"""Arguments that Keras takes as the name of a file where they are texts."""


def unknown_parts(path: Path) -> list[str]:
    """What the archive's configuration would call that is not known to build layers only.

    Raises:
        CorruptModel: it is no archive of Keras, or would unpack to more than it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_entries(path, archive)
            config = json.loads(archive.read(_CONFIG))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, RecursionError) as error:
        raise _corrupt(path, str(error) or type(error).__name__) from error
    return sorted(set(_unknown(config)))


def _check_entries(path: Path, archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if not set(names) >= _ENTRIES:
        raise _corrupt(path, f"it has no {min(_ENTRIES - set(names))}")
    if len(set(names)) != len(names) or len(names) > _MOST_ENTRIES:
        raise _corrupt(path, "its archive has too many entries, or two of one name")
    strange = [name for name in names if name not in _ENTRIES and not _is_asset(name)]
    if strange:
        raise _corrupt(path, f"its archive has the entry '{PurePosixPath(strange[0]).name[:100]}'")
    size = sum(entry.file_size for entry in entries)
    most = max(_LEAST_BYTES, _LARGEST_GROWTH * path.stat().st_size)
    if size > most or archive.getinfo(_CONFIG).file_size > _LARGEST_CONFIG_BYTES:
        raise _corrupt(path, "it would unpack to far more than it is")


def _is_asset(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return parts[:1] == ("assets",) and ".." not in parts and "\\" not in name


def _corrupt(path: Path, reason: str) -> CorruptModel:
    return CorruptModel(f"'{path.name}' is not a usable Keras file: {reason}")


def _unknown(config: object) -> Iterator[str]:
    if isinstance(config, dict):  # how it was trained is not read
        config = {key: value for key, value in config.items() if key != "compile_config"}
    waiting = [config]
    while waiting:  # a stack, not recursion: models may lie deep in each other
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, Mapping):
            waiting.extend(part.values())
            yield from _unknown_names(part)


def _unknown_names(part: Mapping[str, object]) -> Iterator[str]:
    yield from (f"{key} from a file" for key in _FILES if isinstance(part.get(key), str))
    if "class_name" not in part and "module" not in part:
        return
    name, module = part.get("class_name"), part.get("module")
    called = part.get("config") if name == "function" else name
    if not isinstance(called, str) or not _is_known(called, module) or _is_own(part):
        yield f"{module or '?'}.{called}"[:100]


def _is_known(name: str, module: object) -> bool:
    if name in _PROGRAMS or "." in name:
        return False
    if name in _DATA:
        return True
    if module is None or module == "builtins":
        return True  # looked up among Keras's own layers and functions only
    if module == "keras":
        return name in _TOP
    place = str(module)
    return place in _MODULES or any(place == m or place.startswith(f"{m}.") for m in _INNER)


def _is_own(part: Mapping[str, object]) -> bool:
    """Whether it is registered under a name of its own, as classes outside of Keras are."""
    return ">" in str(part.get("registered_name"))
