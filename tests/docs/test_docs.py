"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from modelport.core.semantics import App
from modelport.engine.pipeline.declaration import (
    PipelineToml,
    StepTable,
    read_pipeline_toml,
    running_order,
)
from modelport.semantics.model_toml import (
    SOURCES,
    BatchingTable,
    Example,
    InputTable,
    ModelToml,
    OutputTable,
    read_model_toml,
)

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert spec is not None
assert spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", sorted(generate.made()))
def test_a_generated_file_is_what_the_code_makes_of_it(name: str) -> None:
    kept = (ROOT / name).read_text(encoding="utf-8")
    assert kept == generate.made()[name], "run: python docs/generate.py"


def test_every_key_of_model_toml_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "model-toml.md").read_text(encoding="utf-8")
    tables = [ModelToml, InputTable, OutputTable, BatchingTable, Example, App, *SOURCES.values()]
    keys = {key for table in tables for key in table.__struct_fields__}
    told = set(re.findall(r"`(\w+)`", page)) | {
        *("app", "inputs", "outputs", "batching", "examples", "sources")
    }
    assert keys <= told


def test_the_example_of_model_toml_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "model-toml.md").read_text(encoding="utf-8")
    example, source, padded = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "model.toml").write_text(example, encoding="utf-8")
    toml = read_model_toml(tmp_path / "model.toml")
    assert toml.title == "House prices"
    assert toml.app.fixed == {"city": "Oslo"}
    (tmp_path / "source.toml").write_text(source, encoding="utf-8")
    assert list(read_model_toml(tmp_path / "source.toml").sources) == ["photo"]
    (tmp_path / "padded.toml").write_text(padded, encoding="utf-8")
    assert read_model_toml(tmp_path / "padded.toml").inputs["input_ids"].pad == 0


def test_every_key_of_pipeline_toml_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "pipeline-toml.md").read_text(encoding="utf-8")
    keys = {key for table in (PipelineToml, StepTable) for key in table.__struct_fields__}
    assert keys <= set(re.findall(r"`(\w+)`", page)) | {"steps"}


def test_the_examples_of_pipeline_toml_are_some(tmp_path: Path) -> None:
    for name in ("docs/reference/pipeline-toml.md", "README.md"):
        page = (ROOT / name).read_text(encoding="utf-8")
        (example,) = re.findall(r"```toml\n(\[steps.*?)```", page, flags=re.DOTALL)
        (tmp_path / "pipeline.toml").write_text(example, encoding="utf-8")
        toml = read_pipeline_toml(tmp_path / "pipeline.toml")
        assert running_order(toml) == ("tokenise", "encode", "mood", "topic")


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_makefile_has_at_most_sixteen_recipes() -> None:
    recipes = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert len(recipes) <= 16
    assert {"demo", "test", "check", "bench-peers"} <= set(recipes)


def test_lock_files_pin_with_hashes_and_name_no_registry() -> None:
    for lock in (ROOT / "requirements").rglob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        assert "--index" not in text
        pinned = re.findall(r"^\S+==.*", text, flags=re.MULTILINE)
        assert pinned
        assert all(line.endswith("\\") for line in pinned), "hashes follow each pin"


def test_the_version_is_said_once() -> None:
    import modelport

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == modelport.__version__
