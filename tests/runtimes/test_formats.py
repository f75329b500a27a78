"""What is a model, told by endings, markers and first bytes, without importing any library."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelport.kit import plugins
from modelport.runtimes.formats import Format, format_of, is_model, known_formats


def test_the_core_formats_are_known() -> None:
    assert {"ONNX", "Python", "skops", "pickle"} <= {known.name for known in known_formats()}


@pytest.mark.parametrize(
    ("name", "known"), [("a.onnx", "ONNX"), ("A.ONNX", "ONNX"), ("a.md", None), ("onnx", None)]
)
def test_the_ending_tells_the_format_in_any_case(name: str, known: str | None) -> None:
    found = format_of(Path(name))
    assert (found.name if found else None) == known
    assert is_model(Path(name)) is (known is not None)


@pytest.mark.parametrize("known", known_formats(), ids=lambda known: known.name)
def test_every_format_says_how_it_is_known_and_whether_it_is_safe(known: Format) -> None:
    assert known.endings or known.marker
    assert known.why
    assert ":" in known.runtime
    assert known.install.startswith("pip install 'modelport")


@pytest.mark.parametrize(
    ("name", "safety"),
    [("ONNX", "yes"), ("pickle", "no"), ("skops", "by its content"), ("Keras", "by its content")],
)
def test_a_format_is_safe_always_never_or_by_its_content(name: str, safety: str) -> None:
    (known,) = (known for known in known_formats() if known.name == name)
    assert known.safety == safety


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An installed package whose formats are a folder with `marker.txt`, and something broken."""
    (tmp_path / "own_format.py").write_text(
        "from modelport.runtimes.formats import Format\n"
        "FOLDER = Format(name='Folder', runtime='a:B', marker='marker.txt', grade='bronze',\n"
        "    safe=True, why='data', recognise=lambda path: (path / 'more.txt').is_file())\n"
        "BROKEN = 3\n"
    )
    info = tmp_path / "own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0")
    (info / "entry_points.txt").write_text(
        "[modelport.formats]\nfolder = own_format:FOLDER\nbroken = own_format:BROKEN\n"
        "torn = own_format:NOTHING\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.entry_points.cache_clear()
    known_formats.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    plugins.entry_points.cache_clear()
    known_formats.cache_clear()


def test_a_folder_with_the_marker_is_a_model(registered: Path) -> None:
    folder = registered / "model"
    folder.mkdir()
    assert not is_model(folder)
    (folder / "marker.txt").touch()
    assert not is_model(folder)  # not recognised yet
    (folder / "more.txt").touch()
    found = format_of(folder)
    assert found is not None
    assert (found.name, found.shown) == ("Folder", "marker.txt/")


def test_a_broken_plug_in_is_logged_and_the_others_stay(
    registered: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        names = {known.name for known in known_formats()}
    assert {"ONNX", "Folder"} <= names
    left_out = [record.getMessage() for record in caplog.records]
    assert any("'broken' is left out: TypeError" in message for message in left_out)
    assert any("'torn' is left out: AttributeError" in message for message in left_out)
