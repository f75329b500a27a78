"""OpenVINO IR, as this process runs it."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.tensors import DType
from modelport.runtimes.base import LoadOptions, Model, load
from modelport.runtimes.formats import OPENVINO, format_of
from modelport.runtimes.openvino import ov

ops = importlib.import_module("openvino.opset13")


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Save `x @ w` of some size."""

    def save(size: int = 2, kind: type = np.float32) -> Path:
        x = ops.parameter([-1, size], kind)
        x.output(0).set_names({"x"})
        y = ops.matmul(x, ops.constant(np.ones((size, 3), kind)), False, False)
        path = tmp_path / "m.xml"
        ov.save_model(ov.Model([y], [x], "m"), str(path), compress_to_fp16=False)
        return path

    return save


def opened(path: Path) -> Model:
    return load(path, LoadOptions(digest="0", threads=1))


def test_types_shapes_and_names_come_from_the_file(saved: Callable[..., Path]) -> None:
    model = opened(saved(kind=np.float64))
    (x,), (y,) = model.description.signature.inputs, model.description.signature.outputs
    assert (x.name, x.dtype, x.shape) == ("x", DType.FP64, (None, 2))
    assert (y.dtype, y.shape) == (DType.FP64, (None, 3))
    assert y.name
    model.close()


def test_many_threads_have_answers_of_their_own(saved: Callable[..., Path]) -> None:
    model = opened(saved())
    name = model.description.signature.outputs[0].name

    def ask(value: int) -> bool:
        rows = np.full((1 + value % 3, 2), value, np.float32)
        rows.flags.writeable = False
        answer = model.predict({"x": rows})
        assert isinstance(answer, dict)
        return bool((answer[name] == 2 * value).all()) and answer[name].shape == (len(rows), 3)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(200)))
    model.close()


def test_weights_that_are_cut_off_or_gone_are_named(saved: Callable[..., Path]) -> None:
    path = saved(size=500)
    weights = path.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CorruptModel, match=r"'m\.xml' is not a usable OpenVINO IR"):
        opened(path)
    weights.unlink()
    with pytest.raises(CorruptModel, match=r"'m\.xml' is not a usable OpenVINO IR"):
        opened(path)


def test_weights_behind_a_link_are_refused(saved: Callable[..., Path], tmp_path: Path) -> None:
    path = saved()
    weights = path.with_suffix(".bin")
    shutil.move(weights, tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsupportedModel, match="are a link"):
        opened(path)


def test_an_operation_of_an_extension_is_refused(saved: Callable[..., Path]) -> None:
    path = saved()
    path.write_text(
        path.read_text().replace('type="MatMul" version="opset1"', 'type="Own" version="ext"')
    )
    with pytest.raises(CorruptModel, match="Own"):
        opened(path)


def test_nothing_is_sent_when_it_is_imported() -> None:
    program = (
        "import threading, modelport.runtimes.openvino, sys;"
        "assert threading.active_count() == 1, threading.enumerate();"
        "assert sys.modules['openvino_telemetry'] is None"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ('<?xml version="1.0"?>\n<!-- made by -->\n<net name="m" version="11">', True),
        ("<net>", True),
        ("<network>", False),
        ('<?xml version="1.0"?><html>', False),
        ("", False),
    ],
)
def test_the_root_tells_it_from_other_xml(tmp_path: Path, content: str, known: bool) -> None:
    path = tmp_path / "m.xml"
    path.write_text(content)
    assert (format_of(path) is OPENVINO) is known
    assert not OPENVINO.recognise(tmp_path / "gone.xml")
