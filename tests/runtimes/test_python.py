"""Programs: a class or function with type hints becomes a model with a signature."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import (
    CorruptModel,
    InvalidInput,
    LoadError,
    ModelFailed,
    ModelportError,
    UnsupportedModel,
)
from modelport.core.semantics import Field
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType, bytes_tensor
from modelport.runtimes.base import LoadOptions, Model, given, load
from modelport.runtimes.python import RUNTIME
from modelport.runtimes.renamed import Renamed

F32, F64, I64, BOOL, BYTES = DType.FP32, DType.FP64, DType.INT64, DType.BOOL, DType.BYTES

HEAD = """
from __future__ import annotations
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypedDict
import numpy as np
from numpy.typing import NDArray
"""

Program = Callable[..., Model]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Load a name of a program with that source."""
    monkeypatch.setattr(sys, "modules", dict(sys.modules))

    def make(source: str, name: str = "f", stem: str = "app", **options: Any) -> Model:
        path = tmp_path / f"{stem}.py"
        path.write_text(HEAD + textwrap.dedent(source))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        trusted = frozenset({digest})
        return load(path, LoadOptions(digest=digest, trusted=trusted, attribute=name, **options))

    return make


def run(model: Model, **columns: Any) -> dict[str, Any]:
    """The outputs as lists, for columns as arrays, or as lists of scalars."""
    batch = {}
    for spec in model.description.signature.inputs:
        value = columns[spec.name]
        if isinstance(value, np.ndarray):
            batch[spec.name] = value
        elif spec.dtype is BYTES:
            batch[spec.name] = bytes_tensor([text.encode() for text in value], (len(value), 1))
        else:
            batch[spec.name] = np.array(value, spec.dtype.numpy)[:, np.newaxis]
    model.description.signature.check(batch)

    async def wait(answer: Any) -> Any:
        return await answer

    made = model.predict(batch)
    if inspect.isawaitable(made):
        made = asyncio.run(wait(made))
    for spec in model.description.signature.outputs:
        assert made[spec.name].dtype == spec.dtype.numpy
    return {name: tensor.tolist() for name, tensor in made.items()}


# -- functions of scalars


def test_a_function_of_scalars_is_called_for_each_row(program: Program) -> None:
    model = program(
        "def f(a: float, n: int, b: bool, s: str) -> str:\n    return f'{a} {n} {b} {s}'"
    )
    assert model.description.signature.inputs == (
        TensorSpec("a", F64, (None, 1)),
        TensorSpec("n", I64, (None, 1)),
        TensorSpec("b", BOOL, (None, 1)),
        TensorSpec("s", BYTES, (None, 1)),
    )
    assert model.description.signature.outputs == (TensorSpec("output", BYTES, (None,)),)
    assert model.description.execution == "blocking"
    assert model.description.runtime == f"Python {sys.version_info.major}.{sys.version_info.minor}"
    made = run(model, a=[0.5, 2], n=[1, -2], b=[True, False], s=["é", ""])
    assert made == {"output": ["0.5 1 True é".encode(), b"2.0 -2 False "]}


@pytest.mark.parametrize("hint", ["float | None", "Optional[float]", "None | float"])
def test_a_number_that_may_be_missing_arrives_as_none(program: Program, hint: str) -> None:
    model = program(f"def f(a: {hint}) -> bool:\n    return a is None")
    assert model.description.semantics.inputs["a"].field == Field(nullable=True)
    assert run(model, a=[1.0, np.nan])["output"] == [False, True]


def test_a_text_that_may_be_missing_arrives_as_none(program: Program) -> None:
    model = program("def f(s: str | None) -> str:\n    return repr(s)")
    assert run(model, s=["a", ""])["output"] == [b"'a'", b"None"]


def test_a_number_that_may_not_be_missing_stays_nan(program: Program) -> None:
    model = program("def f(a: float) -> bool:\n    return a is None")
    assert model.description.semantics.inputs["a"].field == Field()
    assert run(model, a=[np.nan])["output"] == [False]


@pytest.mark.parametrize("hint", ["int | None", "bool | None", "Literal[1, 2] | None"])
def test_only_float_and_str_may_be_missing(program: Program, hint: str) -> None:
    with pytest.raises(UnsupportedModel, match="the argument 'a' cannot be missing: only float"):
        program(f"def f(a: {hint}) -> int:\n    return 1")


@pytest.mark.parametrize(
    ("hint", "dtype", "field"),
    [
        ("Literal['a', 'b']", BYTES, Field(choices=("a", "b"))),
        ("Literal[1, 2]", I64, Field(choices=(1, 2))),
        ("Literal[True]", BOOL, Field(choices=(True,))),
        ("Literal['a'] | None", BYTES, Field(choices=("a",), nullable=True)),
        ("Annotated[float, 'in mm']", F64, Field(description="in mm")),
        ("Annotated[int, 3]", I64, Field()),
        ("Annotated[str | None, 'where']", BYTES, Field(description="where", nullable=True)),
        ("Annotated[Literal['a'], 'x']", BYTES, Field(description="x", choices=("a",))),
    ],
)
def test_a_hint_says_what_the_argument_means(
    program: Program, hint: str, dtype: DType, field: Field
) -> None:
    description = program(f"def f(a: {hint}) -> int:\n    return 1").description
    assert description.signature.inputs[0].dtype is dtype
    assert description.semantics.inputs["a"].field == field


def test_an_argument_with_a_default_is_required_like_any_other(program: Program) -> None:
    model = program("def f(a: float, b: float = 2.0) -> float:\n    return a * b")
    assert [spec.name for spec in model.description.signature.inputs] == ["a", "b"]
    with pytest.raises(InvalidInput, match="input 'b' is missing"):
        model.description.signature.check({"a": np.ones((1, 1))})


def test_keyword_only_arguments_are_arguments(program: Program) -> None:
    assert run(program("def f(*, a: int) -> int:\n    return a + 1"), a=[1])["output"] == [2]


# -- functions of arrays


def test_a_function_of_arrays_is_called_once_with_the_batch(program: Program) -> None:
    model = program(
        """
        def f(x: Annotated[NDArray[np.float32], (None, 3)]) -> NDArray[np.float32]:
            assert x.shape == (2, 3)
            return x.sum(axis=1)
        """
    )
    assert model.description.signature.inputs == (TensorSpec("x", F32, (None, 3)),)
    assert run(model, x=np.ones((2, 3), np.float32))["output"] == [3, 3]


def test_an_array_of_texts_is_an_array_of_str(program: Program) -> None:
    model = program(
        """
        def f(s: Annotated[NDArray[np.str_], (None, 2)]) -> Annotated[NDArray[np.str_], (None, 2)]:
            return np.array([[text.upper() for text in row] for row in s])
        """
    )
    texts = bytes_tensor(["é".encode(), b"b"], (1, 2))
    assert run(model, s=texts)["output"] == [["É".encode(), b"B"]]


def test_an_answer_without_a_shape_may_have_any(program: Program) -> None:
    model = program(
        "def f(x: Annotated[NDArray[np.float64], (None, 2)]) -> NDArray[np.float64]:\n    return x"
    )
    assert run(model, x=np.ones((1, 2)))["output"] == [[1, 1]]


def test_a_model_toml_declares_what_hints_leave_open(program: Program) -> None:
    spec = TensorSpec("x", F32, (None, 2))
    model = program("def f(x) -> NDArray[np.float32]:\n    return x", declared_inputs={"x": spec})
    assert model.description.signature.inputs == (spec,)


def test_the_methods_own_self_is_no_argument_and_state_is_kept(program: Program) -> None:
    model = program(
        """
        class Scorer:
            def __init__(self) -> None:
                self.calls = 0
            def predict(self, a: float) -> int:
                self.calls += 1
                return self.calls
        """,
        "Scorer",
    )
    assert run(model, a=[1, 1])["output"] == [1, 2]
    assert run(model, a=[1])["output"] == [3]


# -- async


def test_rows_of_an_async_function_wait_together(program: Program) -> None:
    model = program(
        """
        import asyncio
        together = asyncio.Barrier(3)
        async def f(a: float) -> float:
            await together.wait()
            return a * 2
        """
    )
    assert model.description.execution == "async"
    assert run(model, a=[1, 2, 3])["output"] == [2, 4, 6]


def test_an_async_method_of_arrays_is_awaited(program: Program) -> None:
    model = program(
        """
        class S:
            async def predict(
                self, x: Annotated[NDArray[np.float64], (None,)]
            ) -> NDArray[np.float64]:
                return x + 1
        """,
        "S",
    )
    assert run(model, x=np.array([1.0]))["output"] == [2]


def test_no_row_of_an_async_function_runs_on_after_another_failed(program: Program) -> None:
    model = program(
        """
        import asyncio
        class S:
            def __init__(self) -> None:
                self.ended = []
            async def predict(self, a: float) -> float:
                if a == 0:
                    raise ZeroDivisionError
                await asyncio.sleep(0.01)
                self.ended.append(a)
                return a
            def close(self) -> None:
                assert self.ended == [1, 2]
        """,
        "S",
    )
    with pytest.raises(ZeroDivisionError):
        run(model, a=[1, 0, 2])
    model.close()


# -- answers


@pytest.mark.parametrize(
    "source",
    [
        "class A(TypedDict):\n    p: float\n    s: str\ndef f(a: float) -> A:\n"
        "    return {'p': a, 's': 'x', 'more': 1}",
        "@dataclass\nclass A:\n    p: float\n    s: str\n"
        "def f(a: float) -> A:\n    return A(a, 'x')",
        "class A(TypedDict):\n    p: Annotated[float, 'text']\n    s: Literal['x']\n"
        "def f(a: float) -> A:\n    return {'p': a, 's': 'x'}",
    ],
)
def test_named_answers_are_outputs(program: Program, source: str) -> None:
    model = program(source)
    assert [(s.name, s.dtype) for s in model.description.signature.outputs] == [
        ("p", F64),
        ("s", BYTES),
    ]
    assert run(model, a=[1, 2]) == {"p": [1, 2], "s": [b"x", b"x"]}


@pytest.mark.parametrize(
    ("hint", "value", "shape", "made"),
    [
        ("list[float]", "[a, 2 * a]", (None, None), [[1, 2], [2, 4]]),
        ("list[str]", "['x', str(a)]", (None, None), [[b"x", b"1.0"], [b"x", b"2.0"]]),
        ("NDArray[np.float32]", "np.array([a, 0])", (None, None), [[1, 0], [2, 0]]),
        ("Annotated[NDArray[np.float32], (2,)]", "[a, 0]", (None, 2), [[1, 0], [2, 0]]),
        ("int", "np.int32(a)", (None,), [1, 2]),
        ("float", "int(a)", (None,), [1, 2]),
        ("str", "b'raw'", (None,), [b"raw", b"raw"]),
    ],
)
def test_an_answer_for_each_row_is_stacked(
    program: Program, hint: str, value: str, shape: Any, made: Any
) -> None:
    model = program(f"def f(a: float) -> {hint}:\n    return {value}")
    assert model.description.signature.outputs[0].shape == shape
    assert run(model, a=[1, 2])["output"] == made


def test_a_list_for_the_whole_batch_is_one_value_a_row(program: Program) -> None:
    model = program(
        "def f(x: Annotated[NDArray[np.float64], (None,)]) -> list[float]:\n    return list(x)"
    )
    assert model.description.signature.outputs[0].shape == (None,)
    assert run(model, x=np.array([1.0, 2.0]))["output"] == [1, 2]


@pytest.mark.parametrize(
    ("hint", "value", "words"),
    [
        ("float", "'x'", "is of <U1, and FP64 was promised"),
        ("float", "None", "is of object, and FP64 was promised"),
        ("int", "1.5", "is of float64, and INT64 was promised"),
        ("int", "2**63", "is beyond its bounds, and INT64 was promised"),
        ("int", "2**64", "is of object, and INT64 was promised"),
        ("bool", "1", "is of int64, and BOOL was promised"),
        ("str", "5", "is of int, and BYTES was promised"),
        ("str", "None", "is of NoneType, and BYTES was promised"),
        ("float", "[1, 2]", r"has the shape [2, 2], and [?] was promised"),
        ("list[float]", "[1.0] * int(a)", "is ragged, and FP64 was promised"),
        ("list[str]", "['x'] * int(a)", "is of list, and BYTES was promised"),
        ("list[float]", "1.0", "has the shape [2], and [?, ?] was promised"),
        ("Annotated[NDArray[np.int8], (2,)]", "[1, 300]", "is beyond its bounds"),
        ("Annotated[NDArray[np.int8], (2,)]", "[1, 2, 3]", "has the shape [2, 3], and [?, 2]"),
        ("float", "{'wrong': 1}", "the model's answer has no 'output'"),
    ],
)
def test_an_answer_that_breaks_its_promise_is_the_models_failure(
    program: Program, hint: str, value: str, words: str
) -> None:
    model = program(f"def f(a: float) -> {hint}:\n    return {value}")
    with pytest.raises(ModelFailed) as caught:
        run(model, a=[1, 2])
    assert words in caught.value.message


def test_a_double_too_large_for_the_promised_type_is_infinity(program: Program) -> None:
    model = program(
        "def f(x: Annotated[NDArray[np.float64], (None,)]) -> NDArray[np.float32]:\n    return x"
    )
    assert run(model, x=np.array([1e300]))["output"] == [np.inf]


def test_what_the_function_raises_comes_out_as_it_is(program: Program) -> None:
    model = program("def f(a: float) -> float:\n    raise LookupError('secret')")
    with pytest.raises(LookupError, match="secret"):
        run(model, a=[1])


def test_the_function_may_refuse_an_input(program: Program) -> None:
    model = program(
        """
        from modelport.core.errors import InvalidInput
        def f(a: float) -> float:
            raise InvalidInput("too odd")
        """
    )
    with pytest.raises(InvalidInput, match="too odd"):
        run(model, a=[1])


# -- close


def test_the_object_closes_what_it_opened(program: Program, tmp_path: Path) -> None:
    mark = tmp_path / "closed"
    model = program(
        f"""
        class S:
            def predict(self, a: float) -> float:
                return a
            def close(self) -> None:
                open({str(mark)!r}, "w").close()
        """,
        "S",
    )
    assert not mark.exists()
    model.close()
    assert mark.exists()


def test_a_function_has_nothing_to_close(program: Program) -> None:
    program("def f(a: float) -> float:\n    return a").close()


# -- programs that cannot be served


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f() -> float: ...", "the function needs named arguments with type hints"),
        ("def f(*a: float) -> float: ...", "the function needs named arguments"),
        ("def f(**a: float) -> float: ...", "the function needs named arguments"),
        ("def f(a: float, /) -> float: ...", "the function needs named arguments"),
        ("def f(a) -> float: ...", "the argument 'a' has no type hint"),
        ("def f(a: float): ...", "the function has no return type hint"),
        ("def f(a: float) -> None: ...", "'output' has the hint <class 'NoneType'>"),
        ("def f(a: dict) -> float: ...", "the argument 'a' has the hint <class 'dict'>"),
        ("def f(a: Any) -> float: ...", "the argument 'a' has the hint typing.Any"),
        ("def f(a: float | str) -> float: ...", "the argument 'a' has the hint"),
        ("def f(a: float | str | None) -> float: ...", "the argument 'a' has the hint"),
        ("def f(a: Literal['a', 1]) -> float: ...", "the argument 'a' has the hint"),
        ("def f(a: Literal[b'a']) -> float: ...", "the argument 'a' has the hint"),
        ("def f(a: np.ndarray) -> float: ...", "the argument 'a' has the hint"),
        ("def f(a: NDArray[Any]) -> float: ...", "the argument 'a' has the hint"),
        ("def f(a: np.ndarray[Any, Any]) -> float: ...", "the argument 'a' has the hint"),
        ("def f(a: NDArray[np.str_]) -> float: ...", "Annotated[NDArray[np.str_], (None, 3)]"),
        (
            "def f(a: NDArray[np.float32]) -> float: ...",
            "the shape of the argument 'a' is not known",
        ),
        (
            "def f(a: Annotated[NDArray[np.float32], ('n', 3)]) -> float: ...",
            "Annotated[NDArray[np.float32], (None, 3)], with None for rows, or declare it",
        ),
        (
            "def f(a: float, b: Annotated[NDArray[np.float32], (None,)]) -> float: ...",
            "the arguments are all scalars (one row a call) or all arrays",
        ),
        ("def f(a: float) -> dict: ...", "the answer 'output' has the hint <class 'dict'>"),
        ("def f(a: float) -> list: ...", "the answer 'output' has the hint <class 'list'>"),
        ("def f(a: float) -> list[dict]: ...", "the answer 'output' has the hint list[dict]"),
        ("def f(a: float) -> float | None: ...", "the answer 'output' has the hint"),
        ("def f(a: float) -> Annotated[dict, (1,)]: ...", "the answer 'output' has the hint"),
        ("def f(a: Missing) -> float: ...", "the type hints of 'f' cannot be read"),
        ("f = 3", "'f' is no class or function"),
        ("class f:\n    pass", "'f' has no method 'predict'"),
        ("class f:\n    predict = 3", "'f' has no method 'predict'"),
    ],
)
def test_hints_that_do_not_make_a_signature_are_told(
    program: Program, source: str, words: str
) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        program(source)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("def g(): ...", CorruptModel, "'app.py' has no class or function 'f'"),
        ("def f(:", LoadError, "'app.py' raised SyntaxError while it was imported"),
        ("1 / 0", LoadError, "raised ZeroDivisionError while it was imported: division by zero"),
        ("raise SystemExit(3)", LoadError, "raised SystemExit while it was imported"),
        ("import nobody_has_this", LoadError, "raised ModuleNotFoundError while it was imported"),
        (
            "class f:\n    def __init__(self):\n        raise ValueError('no weights')",
            LoadError,
            "f() raised ValueError: no weights",
        ),
        ("class f:\n    def __init__(self, x): ...", LoadError, "f() raised TypeError"),
    ],
)
def test_a_program_that_does_not_start_is_told(
    program: Program, source: str, kind: type[ModelportError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        program(source)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "modelport_model_app" not in sys.modules or kind is CorruptModel or "f()" in words


@pytest.mark.parametrize(
    "source",
    [
        "open('/nowhere/of mine/w.bin')",
        "from json import nothing_of_that_name",
        "class f:\n    def __init__(self):\n        open('/nowhere/of mine/w.bin')",
        "def f(a: open('/nowhere/of mine/w.bin')) -> float: ...",
        "raise SystemExit(__file__)",
    ],
)
def test_why_a_program_does_not_start_shows_no_path_to_callers(
    program: Program, source: str
) -> None:
    with pytest.raises(LoadError) as caught:
        program(source)
    assert "/" not in caught.value.message
    assert re.search(r"/of mine/w\.bin'|/__init__\.py\)|/app\.py", str(caught.value))


@pytest.mark.parametrize(
    "source",
    [
        "{raise_it}",
        "class f:\n    def __init__(self):\n        {raise_it}",
        "def g():\n    {raise_it}\ndef f(a: g()) -> float: ...",
    ],
)
def test_what_a_program_says_when_it_does_not_start_is_the_operator_s(
    program: Program, source: str
) -> None:
    with pytest.raises(LoadError) as caught:
        program(source.format(raise_it="raise KeyError('postgres://me:hunter2@db')"))
    assert "hunter2" not in caught.value.message
    assert "hunter2" not in str(caught.value.detail)
    assert "KeyError; the server's log has the reason" in caught.value.message.replace(
        " while it was imported", ""
    )
    assert "hunter2" in str(caught.value)


def test_a_program_needs_the_name_of_what_to_serve(program: Program) -> None:
    with pytest.raises(UnsupportedModel, match=r"'app\.py' is a program: say which"):
        program("def f(a: float) -> float: ...", name="")


def test_a_program_imports_its_neighbours_and_leaves_the_path_as_it_was(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "a_neighbour_of_app.py").write_text("FACTOR = 3\n")
    before = list(sys.path)
    model = program(
        """
        class S:
            def __init__(self) -> None:
                from a_neighbour_of_app import FACTOR
                self.factor = FACTOR
            def predict(self, a: float) -> float:
                return a * self.factor
        """,
        "S",
    )
    assert run(model, a=[2])["output"] == [6]
    assert sys.path == before


def loaded_from(tmp_path: Path, text: str, name: str) -> Any:
    (tmp_path / "program.py").write_text(
        "from typing import Annotated\nimport numpy as np\nfrom numpy.typing import NDArray\n"
        + text
    )
    return RUNTIME.load(tmp_path / "program.py", LoadOptions(digest="", attribute=name))


ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=np.float32)
HINTS = "(x: Annotated[NDArray[np.float32], (None, 3)]) -> NDArray[np.float32]:\n"


@pytest.mark.parametrize("answer", ["x[:1].sum(axis=1)", "np.float32(x.sum())"])
def test_an_answer_with_another_number_of_rows_is_a_failure(tmp_path: Path, answer: str) -> None:
    model = loaded_from(tmp_path, f"def f{HINTS}    return {answer}\n", "f")
    with pytest.raises(ModelFailed, match="2 rows were asked for"):
        model.predict({"x": ROWS})


def test_a_function_may_write_to_its_arguments(tmp_path: Path) -> None:
    model = loaded_from(tmp_path, f"def f{HINTS}    x += 1\n    return x.sum(axis=1)\n", "f")
    sent = np.frombuffer(ROWS.tobytes(), dtype=np.float32).reshape(2, 3)
    assert model.predict({"x": sent})["output"].tolist() == [9.0, 18.0]
    assert sent.tolist() == ROWS.tolist()


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("def", "SystemExit"),
        ("async def", "SystemExit"),
        ("async def", "KeyboardInterrupt"),  # a synchronous one may be the user's own Ctrl+C
    ],
)
def test_a_model_that_exits_fails_and_the_process_goes_on(
    tmp_path: Path, kind: str, raised: str
) -> None:
    model = loaded_from(tmp_path, f"{kind} f(x: float) -> float:\n    raise {raised}\n", "f")

    async def asked() -> object:
        answer = model.predict({"x": np.array([[1.0]])})
        return await answer if inspect.isawaitable(answer) else answer

    with pytest.raises(RuntimeError, match=f"the model raised {raised}"):
        asyncio.run(asked())


def test_each_version_imports_its_own_neighbours_and_its_folder_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    models = []
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        (folder / "beside.py").write_text(f"NUMBER = {number}.0")
        path = folder / "app.py"
        path.write_text("import beside\ndef f(a: float) -> float:\n    return a + beside.NUMBER\n")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        options = LoadOptions(digest=digest, trusted=frozenset({digest}), attribute="f")
        models.append(load(path, options))
        assert sorted(each.name for each in folder.iterdir()) == ["app.py", "beside.py"]
    assert sys.dont_write_bytecode is False
    assert [run(model, a=[0])["output"] for model in models] == [[1], [2]]


# -- parameters of a request


@pytest.mark.parametrize(
    "argument",
    [
        "parameters",
        "parameters=None",
        "parameters: dict",
        "parameters: dict[str, Any]",
        "parameters: typing.Mapping[str, object]",
        "parameters: collections.abc.Mapping[str, Any]",
        "*, parameters: Any",
    ],
)
def test_an_argument_named_parameters_gets_those_of_the_request(
    program: Program, argument: str
) -> None:
    source = f"""
    import collections.abc, typing
    def f(x: float, {argument}) -> str:
        return f"{{x}} {{sorted(parameters.items())}}"
    """
    model = program(source)
    assert [spec.name for spec in model.description.signature.inputs] == ["x"]
    assert model.description.takes_parameters
    assert run(model, x=[1])["output"] == [b"1.0 []"]
    asked = given(model, {"top": 3, "loud": True})
    assert run(asked, x=[1, 2])["output"] == [
        b"1.0 [('loud', True), ('top', 3)]",
        b"2.0 [('loud', True), ('top', 3)]",
    ]
    assert run(model, x=[1])["output"] == [b"1.0 []"]


def test_an_asynchronous_method_gets_parameters_of_its_own_to_change(program: Program) -> None:
    source = """
    class Model:
        async def predict(
            self, x: Annotated[NDArray[np.float64], (None,)], parameters: dict[str, Any]
        ) -> NDArray[np.float64]:
            return x * parameters.pop("by", 1)
    """
    model = program(source, "Model")
    said = {"by": 2}
    assert run(given(model, said), x=np.array([1.0, 2.0]))["output"] == [2, 4]
    assert run(given(model, said), x=np.array([1.0, 2.0]))["output"] == [2, 4]
    assert said == {"by": 2}


def test_an_argument_named_parameters_that_is_a_tensor_stays_one(program: Program) -> None:
    model = program("def f(parameters: float) -> float:\n    return parameters")
    assert [spec.name for spec in model.description.signature.inputs] == ["parameters"]
    assert not model.description.takes_parameters
    assert run(given(model, {"a": 1}), parameters=[3])["output"] == [3]
    declared = {"parameters": TensorSpec("parameters", F64, (None, 2))}
    model = program(
        "def f(parameters) -> NDArray[np.float64]:\n    return parameters[:, 0]",
        declared_inputs=declared,
    )
    assert not model.description.takes_parameters


def test_a_function_of_parameters_alone_has_no_inputs(program: Program) -> None:
    with pytest.raises(UnsupportedModel, match="needs named arguments with type hints"):
        program("def f(parameters: dict) -> float:\n    return 1.0")


def test_a_model_that_takes_none_is_itself_whatever_is_said(program: Program) -> None:
    model = program("def f(x: float) -> float:\n    return x")
    assert given(model, {"a": 1}) is model


def test_a_renamed_model_hands_parameters_on(program: Program) -> None:
    model = program("def f(x: float, parameters) -> float:\n    return x * parameters['by']")
    renamed = Renamed(model, {"x": TensorSpec("INPUT__0", F64, (None, 1))}, {})
    assert renamed.description.takes_parameters
    assert run(given(renamed, {"by": 3}), INPUT__0=[2])["output"] == [6]
