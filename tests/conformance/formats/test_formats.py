"""Every format as its users meet it: the command line and a server, beside its own framework.

Nothing of a framework is imported here; each case is built, inspected and served by processes of
their own. `make formats` runs this where all frameworks are installed, and prints the table.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport import Client
from modelport.core.tensors import bytes_tensor
from modelport.repository.integrity import digest
from modelport.runtimes.formats import Format, known_formats
from tests.app.servers import environment, serving
from tests.conformance.formats.truth import Case, Truth, cases, read_truth

CASES = cases()
FORMATS = {known.name: known for known in known_formats()}
BUILD_S = 240


class _Runs:
    """What a hostile pickle does when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


class Built:
    """A case with its folder, its truth, and what the command line says of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.case: Case = CASES[name]
        self.format: Format = FORMATS[self.case.format]
        self.folder = folder
        self._run(name, "truth")
        self.truth: Truth = read_truth(folder)
        self.path = folder / self.truth.path
        self.safe = self.format.safe and not self.case.trusted
        self.trust = self.trusting(self.path)

    def trusting(self, path: Path) -> list[str]:
        """The options that allow a model of the case, if it has to be trusted."""
        return [] if self.safe else ["--trust", f"sha256:{digest(path)}"]

    def unsafe(self, name: str) -> Path:
        """A file of the case's format that holds code."""
        return Path(self._run(name, "unsafe"))

    def named(self, path: Path) -> Path:
        """The model as the command line takes it: a program with the name of its function."""
        attribute = self.case.attribute
        return path.with_name(f"{path.name}:{attribute}") if attribute else path

    def _run(self, name: str, what: str) -> str:
        line = [sys.executable, "-W", "ignore", "-m", "tests.conformance.formats.truth"]
        done = subprocess.run(
            [*line, name, str(self.folder), what],
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            env=environment(self.folder / "state"),
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


# What a case was built with is kept in one process, when the cases are shared out over several.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CASES],
)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    case = CASES[request.param]
    libraries = [*FORMATS[case.format].libraries, *case.needs]
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{case.format} needs {', '.join(missing)}: make formats has it")
    return Built(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def name(built: Built) -> str:
    return next(name for name, case in CASES.items() if case is built.case)


def inspect(
    path: Path, *options: str, state: str = "inspect-state", block: tuple[str, ...] = ()
) -> Any:
    """What `modelport inspect --json` says, or its error; without the libraries in `block`.

    The state folder keeps conversions and what was trusted: a test that must find none has its own.
    """
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in block)
    program = f"import sys; {blocked}from modelport.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "inspect", str(path), "--json", *options],
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        env=environment(path.parent / state),
    )


@pytest.mark.timeout(300)
def test_loads_with_the_right_signature(built: Built) -> None:
    done = inspect(built.named(built.path), *built.trust, *built.case.options)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    tensors = [*facts["inputs"], *facts["outputs"]]
    signature = {t["name"]: (t["datatype"], t["shape"]) for t in tensors}
    assert signature == built.truth.signature
    assert [t["name"] for t in facts["inputs"]] == list(built.truth.inputs)


@pytest.fixture(scope="module")
def client(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    state = tmp_path_factory.mktemp("state")
    options = [*built.trust, *built.case.options, "--name", "m"]
    with serving(built.named(built.path), *options, state=state, workers=1) as served:
        assert served.models[0]["state"] == "READY", served.models
        with Client(served.url, timeout_s=60) as client:
            yield client


def close(built: Built, got: Any, want: Any) -> bool:
    """Whether two answers are the same within the case's tolerance, numbers in JSON texts too."""
    got, want = _decoded(got), _decoded(want)
    if isinstance(want, dict):
        return set(got) == set(want) and all(close(built, got[key], want[key]) for key in want)
    if isinstance(want, list) and any(isinstance(_decoded(item), dict | list) for item in want):
        same = zip(map(_decoded, got), map(_decoded, want), strict=False)
        return len(got) == len(want) and all(close(built, *pair) for pair in same)
    if np.asarray(want).dtype.kind not in "fiub":
        return bool(np.asarray(got).tolist() == np.asarray(want).tolist())
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    near = np.allclose(got, want, rtol=built.truth.rtol, atol=built.truth.atol, equal_nan=True)
    return got.shape == want.shape and near


def _decoded(value: Any) -> Any:
    """A text that holds a JSON object or list as what it says."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "UO":
        value = value.tolist()
    is_json = isinstance(value, str) and value[:1] in ("{", "[")
    return json.loads(value) if is_json else value


def tensors(built: Built, rows: slice) -> dict[str, Any]:
    given = built.truth.inputs
    return {
        name: value[rows] if isinstance(value, np.ndarray) else texts(value[rows])
        for name, value in given.items()
    }


def texts(values: list[Any]) -> Any:
    """A tensor of texts in lists, one of another for each dimension."""
    array = np.asarray(values)
    return bytes_tensor([text.encode() for text in array.ravel().tolist()], array.shape)


def same_tensors(built: Built, got: dict[str, Any], rows: slice) -> None:
    assert set(got) == set(built.truth.outputs)
    for name, want in built.truth.outputs.items():
        have = got[name]
        if have.dtype == np.object_:
            have = np.array([value.decode() for value in have.ravel()]).reshape(have.shape)
        assert close(built, have, want[rows]), name


@pytest.mark.timeout(300)
def test_many_rows_have_the_frameworks_answers(built: Built, client: Client) -> None:
    everything = slice(None)
    same_tensors(built, client.infer("m", tensors(built, everything)), everything)
    plain = built.truth.plain
    if plain is None:
        plain = {n: np.asarray(v).tolist() for n, v in built.truth.inputs.items()}
    answer = client.predict("m", plain)
    assert close(built, answer["prediction"], built.truth.prediction)


@pytest.mark.timeout(300)
def test_one_row_has_the_frameworks_answer(built: Built, client: Client) -> None:
    for at in range(3):
        row = slice(at, at + 1)
        same_tensors(built, client.infer("m", tensors(built, row)), row)
        answer = client.predict("m", plain_row(built, at))
        assert close(built, answer["prediction"], built.truth.prediction[at])


def plain_row(built: Built, at: int) -> Any:
    plain = built.truth.plain
    if plain is None:
        return {name: np.asarray(v)[at].tolist() for name, v in built.truth.inputs.items()}
    if isinstance(plain, dict):
        return {name: values[at] for name, values in plain.items()}
    return plain[at]


@pytest.mark.timeout(300)
def test_missing_library_is_named(built: Built) -> None:
    if not built.format.libraries:
        assert built.format.extra is None  # it comes with the core
        return
    done = inspect(
        built.path,
        *built.trust,
        *built.case.options,
        state="blocked-state",
        block=built.format.libraries,
    )
    assert done.returncode == 3, done.stderr
    assert built.format.install in done.stderr
    assert any(f"'{name}'" in done.stderr for name in built.format.libraries)


@pytest.mark.timeout(300)
def test_corrupt_file_is_refused(built: Built, tmp_path: Path) -> None:
    for content in (b"", b"\x00" * 64, None):
        path = copied(built, tmp_path)
        spoiled = tmp_path / "copy" / (built.truth.spoiled or built.truth.path)
        whole = spoiled.read_bytes()
        spoiled.write_bytes(whole[: len(whole) // 2] if content is None else content)
        done = inspect(built.named(path), *built.trusting(path), *built.case.options)
        assert done.returncode == 3, (content, done.stdout, done.stderr)
        told = [line for line in done.stderr.splitlines() if " is trusted from now on" not in line]
        assert len(told) == 1
        assert told[0].startswith("error: ")
        assert str(tmp_path) not in done.stderr


@pytest.mark.timeout(300)
def test_unsafe_file_is_refused(built: Built, name: str, tmp_path: Path) -> None:
    marker = built.folder / "ran"
    if built.case.attribute:  # who names what to run in a program allows it
        done = inspect(built.path, *built.case.options)
        assert done.returncode == 2
        assert f"{built.path.name}:NAME" in done.stderr
        return
    if not built.safe:
        done = inspect(built.path, *built.case.options, state="unsafe-state")
        assert done.returncode == 3
        assert f"--trust sha256:{digest(built.path)}" in done.stderr
        return
    if built.case.build_unsafe is not None:
        path = built.unsafe(name)
        marker.unlink(missing_ok=True)  # what saving it may have run
        done = inspect(path, *built.case.options)
        assert "--trust sha256:" in done.stderr
    else:
        path = copied(built, tmp_path)
        spoiled = tmp_path / "copy" / (built.truth.spoiled or built.truth.path)
        spoiled.write_bytes(pickle.dumps(_Runs(marker)))
        done = inspect(path, *built.case.options)
    assert done.returncode == 3, done.stderr
    assert not marker.exists()


def copied(built: Built, folder: Path) -> Path:
    shutil.rmtree(folder / "copy", ignore_errors=True)
    shutil.copytree(built.folder, folder / "copy", ignore=shutil.ignore_patterns("*state"))
    return folder / "copy" / built.truth.path
