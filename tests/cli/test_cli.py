"""The command line as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.app.servers import LINEAR, command, environment


@pytest.fixture
def cli(tmp_path: Path):  # a function with defaults
    def run(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*args),
            capture_output=True,
            text=True,
            env=environment(tmp_path / "state"),
            timeout=60,
            cwd=cwd,
        )

    return run


def test_one_answer_without_a_server(cli) -> None:
    assert cli("predict", str(LINEAR), '{"x": [1, 2, 3]}').stdout == '{"prediction":1.8}\n'


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.json", b'{"x": [[1, 2, 3], [1, 2, 3]]}', '{"prediction":[1.8,1.8]}\n'),
        ("rows.csv", b"1,2,3\n1,2,3\n", "prediction\n1.8\n1.8\n"),
    ],
)
def test_rows_of_a_file(cli, tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert cli("predict", str(LINEAR), "--input", str(tmp_path / name)).stdout == expected


def test_rows_of_an_npy_file(cli, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([[1.0, 2.0, 3.0]]))
    answered = cli("predict", str(LINEAR), "--input", str(tmp_path / "rows.npy"))
    assert answered.stdout == '{"prediction":[1.8]}\n'


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["predict", str(LINEAR), '{"x": [1, 2]}'], 4, "takes one row as [3]"),
        (["predict", str(LINEAR), "{"], 4, "not valid JSON"),
        (["predict", str(LINEAR)], 2, "--input"),
        (["predict", str(LINEAR), "--input", "none.csv"], 2, "no file 'none.csv'"),
        (["predict", "none.onnx", "{}"], 2, "no file or folder 'none.onnx'"),
        (["inspect", __file__], 2, "say which class or function"),
        (["serve", str(LINEAR), "--name", "a/b"], 2, "letters, digits"),
        (["serve", str(LINEAR), "--trust", "abc"], 2, "64 hexadecimal digits"),
        (["keys", "create", "--role", "infer", "--name", "x" * 201], 2, "at most 200 characters"),
        (["keys", "revoke", "abc"], 1, "no key with the id 'abc'"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    cli, args: list[str], code: int, words: str
) -> None:
    ended = cli(*args)
    assert ended.returncode == code
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert words in ended.stderr


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[inputs.z]", "model.toml, [inputs.z]: the model has no such name"),
        ("titel = 'x'", "did you mean 'title'?"),
        ("[[examples]]\ninput = { x = [1] }", "example 1 of model.toml: 'x' takes one row as [3]"),
    ],
)
@pytest.mark.parametrize("args", [("inspect",), ("serve", "--port", "0", "--workers", "1")])
def test_a_wrong_model_toml_is_said_alike_by_every_command(
    cli, linear_onnx: Path, toml: str, words: str, args: tuple[str, ...]
) -> None:
    (linear_onnx.parent / "model.toml").write_text(toml)
    ended = cli(*args, str(linear_onnx))
    assert ended.returncode == 2
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert words in errors[0]


def test_an_unknown_setting_names_the_nearest(cli, tmp_path: Path) -> None:
    (tmp_path / "modelport.toml").write_text("[server]\nprot = 9000\n")
    ended = cli("serve", str(LINEAR), cwd=tmp_path)
    assert ended.returncode == 2
    assert "did you mean 'port'?" in ended.stderr


def test_inspect_tells_what_the_file_says(cli) -> None:
    facts = json.loads(cli("inspect", str(LINEAR), "--json").stdout)
    assert facts["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1, 3]}]
    assert facts["size_bytes"] == LINEAR.stat().st_size
    assert facts["digest"].startswith("sha256:")
    shown = cli("inspect", str(LINEAR)).stdout
    assert facts["digest"] in shown
    assert "\x1b" not in shown, "no colours in a pipe"


def test_a_starting_model_toml_is_written_once_and_is_right(cli, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(LINEAR.read_bytes())
    assert cli("inspect", str(model), "--write-toml").returncode == 0
    assert "[inputs.x]" in (tmp_path / "model.toml").read_text()
    assert cli("predict", str(model), '{"x": [1, 2, 3]}').stdout == '{"prediction":1.8}\n'
    again = cli("inspect", str(model), "--write-toml")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_keys_are_listed_without_their_secret(cli) -> None:
    made = json.loads(cli("keys", "create", "--role", "infer", "--name", "shop", "--json").stdout)
    listed = cli("keys", "list", "--json").stdout
    assert json.loads(listed)[0]["id"] == made["id"]
    assert json.loads(listed)[0]["priority"] == made["priority"] == "normal"
    assert made["key"].rpartition("_")[2] not in listed
    assert cli("keys", "revoke", made["id"]).returncode == 0
    assert json.loads(cli("keys", "list", "--json").stdout) == []


def test_a_key_has_a_priority_and_the_list_shows_it(cli) -> None:
    assert cli("keys", "create", "--role", "infer", "--priority", "low").returncode == 0
    header, row = cli("keys", "list").stdout.splitlines()[-2:]
    assert "priority" in header
    assert "low" in row
    wrong = cli("keys", "create", "--role", "infer", "--priority", "urgent")
    assert wrong.returncode == 2
    assert "'low', 'normal', 'high'" in wrong.stderr


def test_revoking_the_last_key_warns_that_none_is_needed_any_more(cli) -> None:
    first, last = (
        json.loads(cli("keys", "create", "--role", "infer", "--json").stdout)["id"]
        for _ in range(2)
    )
    assert "warning" not in cli("keys", "revoke", first).stderr
    warned = cli("keys", "revoke", last)
    assert warned.returncode == 0
    assert "warning: no key is left: callers on this machine now need none" in warned.stderr


def test_without_a_server_there_is_nothing_to_sign_in_to(cli) -> None:
    ended = cli("keys", "link")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: no server of yours runs here")
    assert ended.stdout == ""


def test_help_and_import_load_nothing_heavy() -> None:
    heavy = {
        "numpy",
        "onnxruntime",
        "rich",
        "sqlalchemy",
        "uvicorn",
        "starlette",
        "httpx",
        "msgspec",
    }
    program = (
        "import sys, modelport, modelport.cli\n"
        "sys.argv = ['modelport', '--help']\n"
        "try: modelport.cli.main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout.startswith("Usage: modelport")
    assert heavy.isdisjoint(ended.stderr.split())


def test_each_command_explains_itself(cli) -> None:
    for name in ("serve", "inspect", "predict", "keys"):
        shown = cli(name, "--help")
        assert shown.returncode == 0
        assert "Usage: " in shown.stdout
    assert "--drain-s" in cli("serve", "--help").stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--port", "99999"], "'port' is at least 0 and at most 65535, and 99999 came"),
        (["--workers", "-1"], "'workers' is at least 0"),
        (["--threads", "-3"], "'threads' is at least 0"),
        (["--timeout-s", "nan"], "'timeout_s' is at least 0.001"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(cli, args: list[str], words: str) -> None:
    ended = cli("serve", str(LINEAR), *args)
    assert ended.returncode == 2
    assert words in ended.stderr


def test_the_formats_are_listed_with_what_each_needs_and_whether_it_is_safe(cli) -> None:
    rows = {row["name"]: row for row in json.loads(cli("formats", "--json").stdout)}
    assert rows["ONNX"]["safe_to_load"] == "yes"
    assert rows["ONNX"]["installed"]
    assert rows["pickle"]["safe_to_load"] == "no"
    assert rows["MLflow"]["safe_to_load"] == "by its content"
    assert rows["skops"]["install"] == "pip install 'modelport[sklearn]'"
    shown = cli("formats").stdout
    assert all(name in shown for name in rows)
    assert "by its content: layers of Keras" in shown
    assert "\x1b" not in shown  # no colours where nobody looks


@pytest.mark.parametrize(
    "args",
    [
        ("predict", str(LINEAR), '{"x": [1, 2, 3]}'),
        ("inspect", str(LINEAR)),
        ("inspect", str(LINEAR), "--json"),
        ("formats",),
        ("formats", "--json"),
        ("keys", "list"),
    ],
)
def test_a_command_whose_output_nobody_reads_ends_quietly_with_141(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as unread:
        ended = subprocess.run(
            command(*args),
            stdout=unread,
            stderr=subprocess.PIPE,
            env=environment(tmp_path / "state"),
            timeout=60,
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_request_that_is_no_text_is_refused_in_words(cli) -> None:
    ended = cli("predict", str(LINEAR), os.fsdecode(b'{"x": [1, 2, 3], "\xff": 1}'))
    assert ended.returncode == 4
    assert ended.stderr.startswith("error: ")
    assert "UTF-8" in ended.stderr
