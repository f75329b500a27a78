"""Importing has no effects, and the command line starts without the heavy libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.modules import NAMES

IMPORT_ALL = """
import importlib, json, logging, os, signal, sys, threading, warnings

def state():
    return {
        "threads": threading.active_count(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "signals": [str(signal.getsignal(number)) for number in (2, 15)],
        "handlers": len(logging.getLogger().handlers),
        "level": logging.getLogger().level,
        "hooks": [sys.excepthook is sys.__excepthook__, threading.excepthook.__module__],
        "path": list(sys.path),
        "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
    }

# What the libraries themselves do when they are imported is theirs.
libraries, modules = json.loads(sys.stdin.read())
for name in libraries:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
problems, before = {}, state()
for name in modules:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("modelport"):
            problems[name] = str(error)
    after = state()
    changed = {key: [before[key], after[key]] for key in before if before[key] != after[key]}
    if changed:
        problems[name] = changed
    before = after
sys.__stderr__.write(json.dumps(problems))
"""
LIBRARIES = [
    *("numpy", "onnxruntime", "msgspec", "orjson", "sqlalchemy", "prometheus_client", "rich"),
    *("typer", "uvicorn", "uvloop", "httptools", "starlette.applications", "httpx", "onnx"),
    *("sklearn", "skl2onnx", "skops.io", "pandas", "sklearn.ensemble", "uvicorn.config"),
    *("torch", "torch.export", "transformers", "safetensors.torch"),
    *("ai_edge_litert.interpreter", "h5py", "jax.export", "yaml"),
    *("sqlalchemy.dialects.sqlite", "rich.console", "rich.table", "typer.main"),
]


def importable() -> list[str]:
    return [name for name in NAMES if not name.endswith("__main__")]


def test_importing_any_module_changes_nothing_prints_nothing_and_writes_nothing(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL],
        input=json.dumps([LIBRARIES, importable()]),
        env={},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert json.loads(done.stderr) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["modelport", "modelport.cli"])
def test_the_package_and_the_command_line_start_without_the_heavy_libraries(module: str) -> None:
    program = f"import sys, {module}; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()}
    heavy = {"numpy", "onnxruntime", "rich", "sqlalchemy", "uvicorn", "starlette", "httpx", "onnx"}
    assert "modelport" in loaded
    assert loaded & heavy == set()
