"""Folders as Triton and TensorFlow Serving lay them out, and what `config.pbtxt` says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelport.core.errors import ConfigError
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType
from modelport.repository.layout import Source, find_sources
from modelport.repository.triton import config_of, not_applied, read_config, read_labels

Laid = Callable[..., Path]


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """A folder of models: each file empty, or with that text; `/` at the end is a folder."""

    def make(*names: str, **configs: str) -> Path:
        for name in names:
            path = tmp_path / "models" / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_text("")
        for name, text in configs.items():
            path = tmp_path / "models" / name / "config.pbtxt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "models"

    return make


def is_model(path: Path) -> bool:
    if path.is_dir():
        return (path / "saved_model.pb").is_file()
    return path.suffix in (".onnx", ".pt", ".json", ".txt", ".xml") and path.name != "labels.txt"


def found(root: Path) -> dict[tuple[str, str], Source]:
    return {(s.name, s.version): s for s in find_sources(str(root), is_model)}


def served(root: Path) -> dict[str, str]:
    """The file of each version, below the model's folder."""
    assert all(source.problem is None for source in found(root).values())
    return {
        f"{name}:{version}": str(Path(source.path).relative_to(Path(source.folder).parent))
        for (name, version), source in found(root).items()
    }


def problem(root: Path) -> str:
    (source,) = found(root).values()
    assert source.problem is not None
    return source.problem


def test_a_folder_of_tensorflow_serving_is_served_as_it_is(laid: Laid) -> None:
    root = laid(
        "half_plus_two/1699999999/saved_model.pb",
        "half_plus_two/1700000000/saved_model.pb",
        "half_plus_two/1700000000/variables/variables.index",
        "half_plus_two/temp-1700000001/saved_model.pb",
        "models.config",
    )
    versions = {"half_plus_two:1699999999": "1699999999", "half_plus_two:1700000000": "1700000000"}
    assert served(root) == versions
    assert served(root / "half_plus_two") == versions, "as --model_base_path names it"
    assert not_applied(root, []) == [
        "models.config is not read: each folder with versions is a model"
    ]


def test_files_of_tritons_backends_are_found_by_their_default_names(laid: Laid) -> None:
    root = laid(
        "a/1/model.savedmodel/saved_model.pb",
        "b/1/model.onnx",
        "c/1/model.pt",
        "d/1/model.txt",
        "e/1/xgboost.json",
        "f/1/model.xml",
        "f/1/model.bin",
        "g/1/model.onnx/model.onnx",
        "g/1/model.onnx/weights.data",
        a='platform: "tensorflow_savedmodel"',
        b='backend: "onnxruntime"',
        c='platform: "pytorch_libtorch"',
        d='backend: "fil"',
        e='backend: "fil"',
        f='backend: "openvino"',
        g='platform: "onnxruntime_onnx"',
    )
    assert served(root) == {
        "a:1": "1/model.savedmodel",
        "b:1": "1/model.onnx",
        "c:1": "1/model.pt",
        "d:1": "1/model.txt",
        "e:1": "1/xgboost.json",
        "f:1": "1/model.xml",
        "g:1": "1/model.onnx/model.onnx",
    }
    assert {source.config for source in found(root).values()} == {
        str(root / name / "config.pbtxt") for name in "abcdefg"
    }


def test_the_backend_or_the_files_name_chooses_among_several(laid: Laid) -> None:
    files = ("m/1/model.onnx", "m/1/model.pt", "m/1/small.pt")
    root = laid(*files)
    assert "holds several models: model.onnx, model.pt" in problem(root)
    laid(m='platform: "pytorch_libtorch"')
    assert served(root) == {"m:1": "1/model.pt"}
    laid(m='backend: "pytorch" default_model_filename: "small.pt"')
    assert served(root) == {"m:1": "1/small.pt"}
    laid(m='default_model_filename: "none.pt"')
    assert problem(root).endswith(
        "'none.pt', and the folder of version 1 holds no model of that name"
    )
    laid(m='backend: "openvino" name: "m"')
    assert served(root) == {"m:1": "1/model.onnx"}
    laid(m='backend: "fil"')
    assert "says 'fil', and the folder of version 1 holds model.onnx, model.pt" in problem(root)


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", ["2", "9", "10"]),
        ("version_policy { all {} }", ["2", "9", "10"]),
        ("version_policy { latest { num_versions: 2 } }", ["9", "10"]),
        ("version_policy { latest {} }", ["10"]),
        ("version_policy: { specific: { versions: [2, 10] } }", ["2", "10"]),
    ],
)
def test_the_version_policy_says_which_are_served(
    laid: Laid, policy: str, versions: list[str]
) -> None:
    root = laid("m/2/model.onnx", "m/9/model.onnx", "m/10/model.onnx", "m/assets/x.onnx", m=policy)
    assert sorted((version for _, version in found(root)), key=int) == versions
    assert set(found(root)) == set(found(root / "m")), "the model's folder alone says the same"


def test_a_version_that_should_be_served_and_is_not_there_is_a_problem(laid: Laid) -> None:
    root = laid("m/1/model.onnx", m="version_policy { specific { versions: 3 } }")
    assert problem(root) == "config.pbtxt says that version 3 is served, and it is not there"
    laid("n/", n="")
    assert found(root)["n", "1"].problem == (
        "'n' has a config.pbtxt and no version: put the model in 1/"
    )


@pytest.mark.parametrize(
    ("config", "right"),
    [
        (
            'platform: "tensorrt_plan"',
            "serve the ONNX file that the TensorRT engine was built from",
        ),
        ('platform: "ensemble"', "write its steps in a pipeline.toml"),
        ("ensemble_scheduling { step [] }", "write its steps in a pipeline.toml"),
        ('backend: "python"', "write what model.py does as a function or class with type hints"),
        ('backend: "dali"', "prepare the inputs in a function of a pipeline.toml"),
        ('platform: "tensorflow_graphdef"', "save the graph as a SavedModel"),
        ('backend: "vllm"', "models of onnxruntime, pytorch, tensorflow, openvino, fil are"),
    ],
)
def test_what_cannot_be_run_says_what_would_be_right(laid: Laid, config: str, right: str) -> None:
    assert right in problem(laid("m/1/model.plan", m=config))
    assert right in problem(laid("m/", m=config)), "with or without a version's folder"


def test_an_ensemble_without_a_versions_folder_is_named(laid: Laid) -> None:
    root = laid("n/1/model.onnx", m='platform: "ensemble"')
    assert "pipeline.toml" in (found(root)["m", "1"].problem or "")


def test_a_damaged_config_is_a_problem_of_each_version(laid: Laid) -> None:
    root = laid("m/1/model.onnx", "m/2/model.onnx", m="input [")
    for source in found(root).values():
        assert (source.problem or "").startswith("config.pbtxt is not valid: line 1, column 8:")
    (root / "m" / "config.pbtxt").write_bytes(b"\xff")
    assert "not valid" in (found(root)["m", "1"].problem or "")
    (root / "m" / "config.pbtxt").write_text("max_batch_size: " + "9" * 5000)
    assert "line 1, column 17: a whole number" in (found(root)["m", "1"].problem or "")
    (root / "m" / "config.pbtxt").write_bytes(b" " * (1024 * 1024 + 1))
    assert "larger than" in (found(root)["m", "1"].problem or "")


def test_a_file_named_alone_has_the_config_of_its_model(laid: Laid) -> None:
    root = laid("m/1/model.onnx", "m/2/saved_model.pb", m="")
    (source,) = find_sources(str(root / "m" / "1" / "model.onnx"), is_model)
    assert source.config == str(root / "m" / "config.pbtxt")
    (source,) = find_sources(str(root / "m" / "2"), is_model)
    assert source.config == str(root / "m" / "config.pbtxt")


def test_tensors_have_a_batch_dimension_where_max_batch_size_says_so(laid: Laid) -> None:
    tensors = (
        'input { name: "x" data_type: TYPE_FP32 dims: [3, -1] }'
        ' output { name: "y" data_type: TYPE_STRING dims: 1 label_filename: "labels.txt" }'
    )
    for size, batch in ((0, ()), (8, (None,))):
        config = config_of(laid("m/1/", m=f"max_batch_size: {size} {tensors}") / "m")
        assert config is not None
        assert config.inputs == (TensorSpec("x", DType.FP32, (*batch, 3, None)),)
        assert config.outputs == (TensorSpec("y", DType.BYTES, (*batch, 1)),)
        assert config.labels == {"y": "labels.txt"}
        assert config.warnings == ()
        assert config.max_batch_size == size
    assert config_of(laid("n/1/") / "n") is None
    said = config_of(laid("o/1/", o=tensors) / "o")
    assert said is not None
    assert said.max_batch_size is None


def test_what_is_not_applied_is_named_once(laid: Laid) -> None:
    config = """
    name: "other"
    input [{ name: "a" data_type: TYPE_FP32 dims: 1 reshape { shape: [] } format: FORMAT_NONE },
           { name: "b" data_type: TYPE_FP32 dims: 1 format: FORMAT_NONE }]
    instance_group [ { count: 2 }, { count: 1 } ]
    dynamic_batching {} optimization {} parameters { key: "a" } parameters { key: "b" }
    """
    root = laid("m/1/model.onnx", m=config)
    expected = [
        "config.pbtxt names the model 'other'; it is served as 'm', after its folder",
        "config.pbtxt of 'm': not applied here: instance_group, dynamic_batching, optimization,"
        " parameters, input.reshape, input.format",
    ]
    assert list(read_config(root / "m" / "config.pbtxt").warnings) == expected
    assert not_applied(root, [source.config for source in found(root).values()] * 2) == expected
    assert read_config(root / "m" / "config.pbtxt").inputs[0].shape == (), "as it is reshaped"


@pytest.mark.parametrize(
    "text",
    [
        'name: "%s"',
        'backend: "%s"',
        'default_model_filename: "%s"',
        'default_model_filename: "/%s"',
        'input { name: "%s" }',
    ],
)
def test_what_a_config_says_cannot_write_lines_of_the_log(laid: Laid, text: str) -> None:
    root = laid("m/1/model.onnx", m=text % r"a\n\033[31m")
    (source,) = found(root).values()
    (said,) = not_applied(root, [str(source.config)]) or [source.problem or ""]
    assert r"a\n\x1b[31m" in said
    assert said.isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input { dims: 1 }", "an input has no name"),
        ('input { name: "x" dims: 1 }', "input 'x': data_type is one of TYPE_BOOL, .* not absent"),
        ('output { name: "x" data_type: TYPE_BF16 }', "output 'x': data_type .* not TYPE_BF16"),
        ("input { name: x }", "name is quoted text, not 'x'"),
        ("input: 3", "input is { … }, not 3"),
        ('max_batch_size: "8"', "max_batch_size is a whole number, not '8'"),
        ("max_batch_size: -1", "max_batch_size is 0 or more, not -1"),
        ('input { name: "x" data_type: TYPE_FP32 dims: 1.5 }', "dims is a whole number, not 1.5"),
        ("platform {}", "platform is quoted text, not { … }"),
        ("version_policy { latest { num_versions: 0 } }", "num_versions is 1 or more, not 0"),
        ('default_model_filename: "../x.onnx"', "is no name of a file in a version's folder"),
    ],
)
def test_a_wrong_value_is_named(laid: Laid, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^config.pbtxt: .*{message}"):
        config_of(laid("m/1/", m=text) / "m")


def test_labels_are_lines_of_a_file_in_the_models_folder(laid: Laid, tmp_path: Path) -> None:
    config = laid("m/1/", m="") / "m" / "config.pbtxt"
    labels = config.with_name("labels.txt")
    labels.write_text("cat\r\nsmall dog\nnaïve\n", "utf-8")
    assert read_labels(config, "labels.txt") == ("cat", "small dog", "naïve")
    (tmp_path / "secret").write_text("secret")
    (config.parent / "link").symlink_to(tmp_path / "secret")
    for outside in (
        "../../secret",
        str(tmp_path / "secret"),
        "link",
        "absent",
        "1",
        "a\0",
        "a" * 999,
    ):
        with pytest.raises(ConfigError, match="is no file in the model's folder"):
            read_labels(config, outside)
    labels.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot be read as UTF-8"):
        read_labels(config, "labels.txt")
    labels.write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than"):
        read_labels(config, "labels.txt")
