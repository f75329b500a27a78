"""`--trust` is said once: the digest is kept for this user, shown, and can be taken back."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.servers import command, environment

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*args),
            capture_output=True,
            text=True,
            env=environment(tmp_path / "state"),
            cwd=tmp_path,
            timeout=60,
        )

    return call


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A folder whose program is named in its `model.toml`; its digest."""
    folder = tmp_path / "models" / "double" / "1"
    folder.mkdir(parents=True)
    text = "def double(x: float) -> float:\n    return 2 * x\n"
    (folder / "model.py").write_text(text)
    (folder.parent / "model.toml").write_text('attribute = "double"\n')
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_what_is_trusted_once_stays_trusted_until_it_is_taken_back(run: Run, program: str) -> None:
    refused = run("predict", "models", '{"x": 2}')
    assert refused.returncode == 3
    assert f"--trust {program}" in refused.stderr
    first = run("predict", "models", '{"x": 2}', "--trust", program)
    assert first.stdout == '{"prediction":4.0}\n'
    assert f"{program} is trusted from now on" in first.stderr
    second = run("predict", "models", '{"x": 2}')
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert run("trust").stdout == f"{program}\n"
    assert json.loads(run("trust", "--json").stdout) == [program]
    assert run("trust", "--forget", program).returncode == 0
    assert run("predict", "models", '{"x": 2}').returncode == 3
    assert run("trust").stdout == "No file is trusted.\n"


def test_mistakes_are_told_and_nothing_is_kept(run: Run, program: str) -> None:
    wrong = run("inspect", "models", "--trust", "sha256:abc")
    assert wrong.returncode == 2
    assert "64 hexadecimal digits" in wrong.stderr
    unknown = run("trust", "--forget", program)
    assert unknown.returncode == 1
    assert "is not trusted" in unknown.stderr
    assert run("trust").stdout == "No file is trusted.\n"
