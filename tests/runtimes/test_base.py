"""Opening a file: by its ending, only when it is trusted, with one clear sentence when not."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from modelport.core.errors import (
    CorruptModel,
    LoadError,
    MissingLibrary,
    UnsupportedModel,
    UntrustedModel,
)
from modelport.kit import plugins
from modelport.runtimes.base import LoadOptions, load, without_paths
from modelport.runtimes.formats import known_formats

PROGRAM = "def double(x: float) -> float:\n    return 2 * x\n"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., tuple[Path, LoadOptions]]:
    """A file with that content, and options with its digest."""

    def make(name: str, content: bytes, **options: object) -> tuple[Path, LoadOptions]:
        path = tmp_path / name
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return path, LoadOptions(digest=digest, **options)  # type: ignore[arg-type]

    return make


Files = Callable[..., tuple[Path, LoadOptions]]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Register an ending for a module of that source, as an installed package does."""

    def register(ending: str, source: str, safe: bool = True) -> None:
        package = tmp_path / "site"
        info = package / f"plug_{ending}-1.0.dist-info"
        info.mkdir(parents=True)
        (package / f"plug_{ending}.py").write_text(source)
        (package / f"plug_{ending}_format.py").write_text(
            "from modelport.runtimes.formats import Format\n"
            f"FORMAT = Format(name='Mine', runtime='plug_{ending}:RUNTIME', grade='bronze',\n"
            f"    endings=('{ending}',), safe={safe}, why='data',\n"
            f"    package='plug-{ending}', extra='fast')\n"
        )
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plug-{ending}\nVersion: 1.0")
        (info / "entry_points.txt").write_text(
            f"[modelport.formats]\n{ending} = plug_{ending}_format:FORMAT\n"
        )
        monkeypatch.syspath_prepend(str(package))
        plugins.entry_points.cache_clear()
        known_formats.cache_clear()

    yield register
    monkeypatch.undo()
    plugins.entry_points.cache_clear()
    known_formats.cache_clear()


def test_an_unknown_ending_lists_the_known_ones(file: Files) -> None:
    with pytest.raises(
        UnsupportedModel, match=r"'m\.h5' is of no known format; known are .*\.onnx"
    ):
        load(*file("m.h5", b"x"))


@pytest.mark.parametrize("name", ["m.onnx", "m.py", "m.pkl"])
def test_an_empty_file_is_told_as_such(file: Files, name: str) -> None:
    with pytest.raises(CorruptModel, match=f"^'{name}' is empty$"):
        load(*file(name, b""))


def test_a_program_is_not_run_unless_its_digest_is_trusted(file: Files, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    source = f"open({str(ran)!r}, 'w').close()\n{PROGRAM}".encode()
    path, options = file("m.py", source, attribute="double")
    with pytest.raises(UntrustedModel) as caught:
        load(path, options)
    assert not ran.exists()
    assert f"--trust sha256:{options.digest}" in caught.value.message
    assert caught.value.detail == {"digest": options.digest}
    assert str(tmp_path) not in caught.value.message
    trusted = LoadOptions(
        digest=options.digest, trusted=frozenset({options.digest}), attribute="double"
    )
    assert load(path, trusted).description.signature.inputs[0].name == "x"
    assert ran.exists()


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.joblib"])
def test_a_pickle_is_not_opened_unless_its_digest_is_trusted(file: Files, name: str) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("skops")
    with pytest.raises(UntrustedModel, match="--trust sha256:"):
        load(*file(name, b"\x80\x04N."))


def test_another_digest_does_not_make_a_file_trusted(file: Files) -> None:
    path, options = file("m.py", PROGRAM.encode(), trusted=frozenset({"0" * 64}))
    with pytest.raises(UntrustedModel):
        load(path, options)


def test_another_packages_runtime_is_found_and_used(
    file: Files, plugin: Callable[..., None]
) -> None:
    plugin(
        "mine",
        "from modelport.runtimes.base import Runtime\n"
        "RUNTIME = Runtime(name='Mine', load=lambda path, options: path.read_text())\n",
    )
    path, options = file("m.mine", b"content")
    assert load(path, options) == "content"  # type: ignore[comparison-overlap]


def test_what_trust_would_not_help_is_refused_before_trust_is_asked_for(
    file: Files, plugin: Callable[..., None]
) -> None:
    plugin(
        "futile",
        "from modelport.core.errors import UnsupportedModel\n"
        "from modelport.runtimes.base import Runtime\n"
        "def examine(path):\n    raise UnsupportedModel(f'{path} is of no use')\n"
        "RUNTIME = Runtime(name='Mine', load=None, examine=examine)\n",
        safe=False,
    )
    with pytest.raises(UnsupportedModel) as caught:
        load(*file("m.futile", b"content"))
    assert caught.value.message == "m.futile is of no use"


def test_whatever_a_library_raises_becomes_one_sentence_without_its_trace(
    file: Files, plugin: Callable[..., None]
) -> None:
    plugin(
        "raises",
        "from modelport.runtimes.base import Runtime\n"
        "def load(path, options):\n    raise KeyError('first line\\nsecond line')\n"
        "RUNTIME = Runtime(name='Mine', load=load)\n",
    )
    with pytest.raises(CorruptModel, match=r"^'m\.raises' could not be read as Mine: KeyError: "):
        load(*file("m.raises", b"x"))


def test_an_error_without_words_is_told_by_its_type(
    file: Files, plugin: Callable[..., None]
) -> None:
    plugin(
        "silent",
        "from modelport.runtimes.base import Runtime\n"
        "def load(path, options):\n    raise ValueError\n"
        "RUNTIME = Runtime(name='Mine', load=load)\n",
    )
    with pytest.raises(CorruptModel, match=r"could not be read as Mine: ValueError$"):
        load(*file("m.silent", b"x"))


@pytest.mark.parametrize(
    ("ending", "source"),
    [
        ("early", "import a_library_that_nobody_has\n"),
        (
            "late",
            "from modelport.runtimes.base import Runtime\n"
            "def load(path, options):\n    import a_library_that_nobody_has\n"
            "RUNTIME = Runtime(name='Mine', load=load)\n",
        ),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    file: Files, plugin: Callable[..., None], ending: str, source: str
) -> None:
    plugin(ending, source)
    with pytest.raises(MissingLibrary) as caught:
        load(*file(f"m.{ending}", b"x"))
    assert caught.value.message == (
        f"reading Mine (.{ending}) needs the library 'a_library_that_nobody_has':"
        f" pip install 'plug-{ending}[fast]'"
    )


def test_a_missing_module_is_named_by_its_library(
    file: Files, plugin: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "a_library", ModuleType("a_library"))
    plugin("part", "import a_library.core\n")
    with pytest.raises(MissingLibrary, match="needs the library 'a_library': pip install"):
        load(*file("m.part", b"x"))


def test_a_plug_in_that_is_no_runtime_is_refused(file: Files, plugin: Callable[..., None]) -> None:
    plugin("wrong", "RUNTIME = 3\n")
    with pytest.raises(LoadError, match=r"the runtime of Mine is not a modelport"):
        load(*file("m.wrong", b"x"))


def test_a_plug_in_that_cannot_be_imported_is_told_by_its_error(
    file: Files, plugin: Callable[..., None]
) -> None:
    plugin("torn", "from json import nothing_of_that_name\n")
    with pytest.raises(LoadError, match=r"nothing_of_that_name.*/json/__init__\.py") as caught:
        load(*file("m.torn", b"x"))
    assert caught.value.message == "the runtime of Mine could not be imported: ImportError"


@pytest.mark.parametrize("kind", ["ValueError", "LoadError", "UnsupportedModel"])
def test_no_error_that_leaves_loading_shows_a_path(
    file: Files, plugin: Callable[..., None], kind: str
) -> None:
    plugin(
        "open",
        "from modelport.core.errors import LoadError, UnsupportedModel\n"
        "from modelport.runtimes.base import Runtime\n"
        f"def load(path, options):\n    raise {kind}(f'{{path}} needs /srv/a/w.bin')\n"
        "RUNTIME = Runtime(name='Mine', load=load)\n",
    )
    path, options = file("my m.open", b"x")
    with pytest.raises(LoadError) as caught:
        load(path, options)
    assert caught.value.message.endswith("my m.open needs w.bin")
    assert "/" not in caught.value.message
    assert str(caught.value).endswith(f"{path} needs /srv/a/w.bin")  # for the operator


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Errno 2] No such file: '/srv/my models/w.bin'", "[Errno 2] No such file: 'w.bin'"),
        ('[Errno 2] No such file: "/srv/it\'s/w.bin"', '[Errno 2] No such file: "w.bin"'),
        ("no name 'x' from 'a' (/srv/my models/a.py)", "no name 'x' from 'a' (a.py)"),
        ("/srv/a.so: cannot open, see /var/log/a/", "a.so: cannot open, see a"),
        ("PATH=/usr/bin:/srv/b, file:///srv/c", "PATH=bin:b, file:c"),
        ("~/models/w.bin and '~/models/w.bin'", "w.bin and 'w.bin'"),
        ("see https://example.org/a/b and s3://c/d", "see https://example.org/a/b and s3://c/d"),
        ("no s3://me:pass/word@c/d?sig=x here", "no s3://c/d here"),
        ("https://me@example.org", "https://example.org"),
        ("yes/no, 3 / 4, a//b, float32/64, ./a/b", "yes/no, 3 / 4, a//b, float32/64, ./a/b"),
    ],
)
def test_an_absolute_path_is_told_by_its_last_name(text: str, shown: str) -> None:
    assert without_paths(text) == shown
