"""What tells the answers of one version from those of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from modelport.core.signature import Signature
from modelport.engine.cache.identity import Identity, identity_of
from modelport.engine.opening import Settings, open_version
from modelport.repository.integrity import MANIFEST, digest_of, listing
from modelport.repository.layout import Source
from modelport.repository.store import Manifest
from modelport.runtimes.base import Description
from modelport.semantics.model_toml import ModelToml

Sources = Callable[..., Source]
Trusted = Callable[[Source], frozenset[str]]
LINEAR = (Path(__file__).parents[2] / "data" / "linear.onnx").read_bytes()
PROGRAM = (
    "def one(x: float) -> float:\n    return x\n\n\ndef two(x: float) -> float:\n    return 2 * x\n"
)


def identity(source: Source, trusted: Trusted, stored_by: str = "test 1") -> Identity | None:
    loaded = open_version(source, Settings(stored_by=stored_by, trusted=trusted(source)))
    try:
        return loaded.identity
    finally:
        loaded.model.close()


def test_the_same_files_under_the_same_name_are_the_same(source: Sources, trusted: Trusted) -> None:
    assert identity(source(LINEAR), trusted) == identity(source(LINEAR), trusted)
    assert identity(source(LINEAR), trusted, stored_by="") is None


def test_whatever_an_answer_may_depend_on_makes_another_identity(
    source: Sources, trusted: Trusted
) -> None:
    found = [
        identity(source(LINEAR), trusted),
        identity(source(LINEAR), trusted, stored_by="test 2"),
        identity(source(LINEAR, version="2"), trusted),
        identity(source(LINEAR, name="other"), trusted),
        identity(source(LINEAR, toml='title = "T"', version="3"), trusted),
        identity(source(PROGRAM, "p.py", "cache = true", attribute="one"), trusted),
        identity(source(PROGRAM, "p.py", "cache = true", attribute="two"), trusted),
        identity(source(PROGRAM + "#", "p.py", "cache = true", attribute="two"), trusted),
    ]
    assert None not in found
    assert len({each.digest for each in found if each}) == len(found)


@pytest.mark.parametrize(
    ("file", "toml", "is_cached", "is_asked_for"),
    [
        ("m.onnx", "", True, False),
        ("m.onnx", "cache = false", False, False),
        ("m.onnx", "cache = true", True, True),
        ("p.py", "", False, False),
        ("p.py", "cache = false", False, False),
        ("p.py", "cache = true", True, True),
    ],
)
def test_what_only_calculates_is_cached_and_a_program_where_its_owner_says_so(
    source: Sources, trusted: Trusted, file: str, toml: str, is_cached: bool, is_asked_for: bool
) -> None:
    program = file.endswith(".py")
    made = source(PROGRAM if program else LINEAR, file, toml, attribute="one" if program else None)
    found = identity(made, trusted)
    assert (found is not None) == is_cached
    assert found is None or found.is_asked_for == is_asked_for


def test_of_a_published_version_every_file_counts(source: Sources, trusted: Trusted) -> None:
    def published(helper: str) -> Source:
        made = source(PROGRAM, "p.py", "cache = true", attribute="one")
        folder = Path(made.path).parent
        (folder / "helper.py").write_text(helper)
        files = listing(folder)
        manifest = Manifest(
            digest=digest_of(files),
            files=files,
            created="",
            source="p.py",
            format="python",
            runtime="Python",
            signature=Signature((), ()),
        )
        (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
        return msgspec.structs.replace(made, folder=str(folder))

    first = identity(published("A = 1"), trusted)
    assert first == identity(published("A = 1"), trusted)
    assert first != identity(published("A = 2"), trusted)


def test_of_a_folder_the_digest_is_all_there_is(tmp_path: Path) -> None:
    source = Source(name="m", version="1", path=str(tmp_path), toml="")
    description = Description(runtime="R", signature=Signature((), ()))
    found = [identity_of(source, ModelToml(), description, digest, "t") for digest in "abb"]
    assert found[0] != found[1] == found[2]


def test_data_beside_an_onnx_file_belongs_to_it(
    source: Sources, trusted: Trusted, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    import numpy as np

    def made(value: float) -> Source:
        weight = onnx.numpy_helper.from_array(np.full((1000,), value, np.float32), "w")
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Add", ["x", "w"], ["y"])],
            "g",
            [onnx.helper.make_tensor_value_info("x", 1, [1000])],
            [onnx.helper.make_tensor_value_info("y", 1, [1000])],
            [weight],
        )
        model = onnx.helper.make_model(
            graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)]
        )
        path = tmp_path / "outside.onnx"
        path.unlink(missing_ok=True)
        (tmp_path / "w.bin").unlink(missing_ok=True)
        onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
        return Source(name="m", version="1", path=str(path), toml="")

    one = made(1.0)
    before = Path(one.path).read_bytes()
    first = identity(one, trusted)
    two = made(2.0)
    assert Path(two.path).read_bytes() == before
    assert first != identity(two, trusted)
    assert first == identity(made(1.0), trusted)
