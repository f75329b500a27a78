"""TorchScript and torch.export archives, and what is no such thing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelport.core.errors import CorruptModel, InvalidInput, UnsupportedModel, UntrustedModel
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType
from modelport.runtimes.base import LoadOptions, Model, load
from modelport.runtimes.torch.tensors import named_outputs

TRUSTED = frozenset({"d"})
Scripted = Callable[[str], Path]


def opened(path: Path, **declared: tuple[DType, tuple[int | None, ...]]) -> Model:
    specs = {name: TensorSpec(name, *spec) for name, spec in declared.items()}
    return load(path, LoadOptions(digest="d", trusted=TRUSTED, declared_inputs=specs))


def shapes(specs: Sequence[TensorSpec]) -> Mapping[str, tuple[int | None, ...]]:
    return {spec.name: spec.shape for spec in specs}


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """Save a TorchScript module of one method, `def forward(self, …): …`."""

    def make(method: str) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = type("Own", (torch.jit.ScriptModule,), {})()
            module.define(f"{method}\n")
            module.save(str(tmp_path / "model.pt"))
        return tmp_path / "model.pt"

    return make


@pytest.fixture
def traced(tmp_path: Path) -> Callable[..., Path]:
    """Save a function of `a`, or of `a` and `b`, as it is traced on examples."""

    class One(torch.nn.Module):
        def forward(self, a: torch.Tensor) -> Any:
            return self.function(a)

    class Two(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> Any:
            return self.function(a, b)

    def make(function: Callable[..., Any], *examples: torch.Tensor) -> Path:
        module = One() if len(examples) == 1 else Two()
        module.function = function
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.trace(module, examples).save(str(tmp_path / "model.pt"))
        return tmp_path / "model.pt"

    return make


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Path]:
    """Save a function as it is exported on examples."""

    def make(function: Callable[..., Any], *examples: Any, **options: Any) -> Path:
        class Module(torch.nn.Module):
            def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
                return function(x, y)

        program = torch.export.export(Module(), examples, **options)
        torch.export.save(program, tmp_path / "model.pt2")
        return tmp_path / "model.pt2"

    return make


def test_a_file_that_trust_would_not_help_is_refused_before_it_is_asked_for(tmp_path: Path) -> None:
    for name, saved in (("new", True), ("old", False)):
        path = tmp_path / f"{name}.pt"
        weights = torch.nn.Linear(2, 1).state_dict()
        torch.save(weights, path, _use_new_zipfile_serialization=saved)
        with pytest.raises(UnsupportedModel, match=r"torch\.save.*torch\.export\.save\("):
            load(path, LoadOptions(digest="d"))


def test_an_archive_under_the_others_ending_is_named(
    scripted: Scripted, exported: Callable[..., Path]
) -> None:
    script = scripted("def forward(self, x): return x")
    program = exported(lambda x, y: x + y, torch.ones(2), torch.ones(2))
    with pytest.raises(UnsupportedModel, match=r"rename it to end in \.pt2"):
        opened(program.rename(program.with_name("other.pt")))
    with pytest.raises(UnsupportedModel, match=r"rename it to end in \.pt$"):
        opened(script.rename(script.with_name("other.pt2")))


def test_a_file_that_is_no_archive_is_corrupt(tmp_path: Path) -> None:
    for name in ("model.pt", "model.pt2"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 and nothing more")
        with pytest.raises(CorruptModel, match="damaged, or no"):
            opened(tmp_path / name)


def test_an_archive_is_not_opened_without_trust(scripted: Scripted) -> None:
    path = scripted("def forward(self, x): return x")
    with pytest.raises(UntrustedModel, match="--trust sha256:d"):
        load(path, LoadOptions(digest="d"))


def test_inputs_that_nothing_describes_are_asked_for(scripted: Scripted) -> None:
    path = scripted("def forward(self, a, b): return a + b")
    with pytest.raises(UnsupportedModel) as raised:
        opened(path, a=(DType.FP32, (None,)))
    assert raised.value.message.endswith('as in inputs.b = { dtype = "FP32", shape = [-1, 3] }')


def test_declared_inputs_and_found_outputs_make_the_signature(scripted: Scripted) -> None:
    path = scripted(
        "def forward(self, a, b: Tensor, scale: float = 2.0):\n"
        "    return {'sum': (a + b) * scale, 'rows': a.sum(1).to(torch.int64)}"
    )
    declared = (DType.FP32, (None, None))
    model = opened(path, a=declared, b=declared)
    signature = model.description.signature
    assert shapes(signature.inputs) == {"a": (None, None), "b": (None, None)}
    assert shapes(signature.outputs) == {"sum": (None, None), "rows": (None,)}
    assert [spec.dtype for spec in signature.outputs] == [DType.FP32, DType.INT64]
    ones = np.ones((2, 3), np.float32)
    answer = model.predict({"a": ones, "b": ones})
    assert answer["sum"].tolist() == [[4.0] * 3] * 2
    assert answer["rows"].tolist() == [3, 3]
    model.close()


def test_a_model_that_does_not_take_what_is_declared_says_why(scripted: Scripted) -> None:
    path = scripted("def forward(self, x): return x @ torch.ones(5, 2)")
    with pytest.raises(UnsupportedModel, match="shapes cannot be multiplied"):
        opened(path, x=(DType.FP32, (None, 4)))
    with pytest.raises(UnsupportedModel, match="is BYTES, and PyTorch takes numbers only"):
        opened(path, x=(DType.BYTES, (None,)))


@pytest.mark.parametrize("method", ["x: int): return torch.ones(x)", "): return torch.ones(3)"])
def test_a_model_that_takes_no_tensors_is_refused(scripted: Scripted, method: str) -> None:
    gap = "" if method.startswith(")") else ", "
    with pytest.raises(UnsupportedModel, match=r"takes no tensor|wrap the model"):
        opened(scripted(f"def forward(self{gap}{method}"))


def test_a_traced_model_brings_its_own_signature(traced: Callable[..., Path]) -> None:
    path = traced(lambda a, b: (a.sum(1), b * 2), torch.ones(2, 4), torch.ones(2, 3).long())
    signature = opened(path).description.signature
    assert shapes(signature.inputs) == {"a": (None, 4), "b": (None, 3)}
    assert [spec.dtype for spec in signature.inputs] == [DType.FP32, DType.INT64]
    assert shapes(signature.outputs) == {"output_0": (None,), "output_1": (None, 3)}


def test_a_traced_model_that_mixes_rows_keeps_its_sizes(traced: Callable[..., Path]) -> None:
    signature = opened(traced(lambda a: a.sum(0), torch.ones(2, 4))).description.signature
    assert shapes(signature.inputs) == {"a": (2, 4)}
    assert shapes(signature.outputs) == {"output": (4,)}


def test_the_callers_arrays_and_earlier_answers_stay_as_they_are(
    traced: Callable[..., Path],
) -> None:
    model = opened(traced(lambda a: a.add_(1), torch.ones(2, 3)))
    given = np.zeros((2, 3), np.float32)
    given.flags.writeable = False
    first = model.predict({"a": given})["output"]
    model.predict({"a": given})
    assert given.sum() == 0
    assert first.tolist() == np.ones((2, 3)).tolist()


def test_bfloat16_outputs_are_widened(traced: Callable[..., Path]) -> None:
    model = opened(traced(lambda a: a.to(torch.bfloat16), torch.ones(2, 3)))
    assert model.description.signature.outputs[0].dtype is DType.FP32
    assert model.predict({"a": np.ones((1, 3), np.float32)})["output"].dtype == np.float32


def test_a_program_keeps_its_names_types_and_free_sizes(exported: Callable[..., Path]) -> None:
    rows = torch.export.Dim("rows", max=4)
    path = exported(
        lambda x, y: {"both": (x + y, x.sum()), "left": x},
        torch.ones(2, 3),
        torch.ones(2, 3),
        dynamic_shapes=({0: rows}, {0: rows}),
    )
    model = opened(path)
    signature = model.description.signature
    assert signature.lockstep
    assert shapes(signature.inputs) == {"x": (None, 3), "y": (None, 3)}
    assert shapes(signature.outputs) == {"both.0": (None, 3), "both.1": (), "left": (None, 3)}
    assert model.description.notes == ()
    with pytest.raises(InvalidInput, match=r"does not take this input: .*<= 4"):
        model.predict({name: np.ones((5, 3), np.float32) for name in ("x", "y")})


def test_leading_sizes_of_their_own_are_not_rows(exported: Callable[..., Path]) -> None:
    auto = torch.export.Dim.AUTO
    path = exported(
        lambda x, y: x.sum() + y.sum(),
        torch.ones(2),
        torch.ones(3),
        dynamic_shapes=({0: auto}, {0: auto}),
    )
    assert not opened(path).description.signature.lockstep


def test_a_program_of_fixed_sizes_says_so(exported: Callable[..., Path]) -> None:
    model = opened(exported(lambda x, y: x + y, torch.ones(2, 3), torch.ones(2, 3)))
    assert shapes(model.description.signature.inputs) == {"x": (2, 3), "y": (2, 3)}
    assert "dynamic_shapes" in model.description.notes[0]


def test_a_program_with_a_number_among_its_inputs_is_refused(
    exported: Callable[..., Path],
) -> None:
    with pytest.raises(UnsupportedModel, match="is no tensor"):
        opened(exported(lambda x, y: x * y, torch.ones(2), 2.0))


def test_outputs_are_named_once_and_exist() -> None:
    one = torch.ones(1)
    assert list(named_outputs((one, [one, None]))) == ["output_0", "output_1.0"]
    with pytest.raises(UnsupportedModel, match="returns no tensor"):
        named_outputs((None, 3))
    with pytest.raises(UnsupportedModel, match="two outputs one name"):
        named_outputs({"a": {"b": one}, "a.b": one})
