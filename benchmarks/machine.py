"""Where and with what a measurement was made."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.workloads import ROOT

__all__ = ["commit", "cores", "machine", "versions"]

_LIBRARIES = (
    *("httptools", "msgspec", "numpy", "onnx", "onnxruntime"),
    *("orjson", "scikit-learn", "skl2onnx", "starlette", "uvicorn", "uvloop"),
)
_LIMIT_S = 10.0


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0))


def machine() -> dict[str, object]:
    """Processor, memory, system, and how busy it was before the measurement."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gib": round(pages / 2**30, 1),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_average_before": os.getloadavg()[0],
    }


def commit() -> dict[str, object]:
    """The commit that is measured, and whether the tree differs from it."""
    return {
        "id": _git("rev-parse", "--verify", "--quiet", "HEAD") or None,
        "dirty": bool(_git("status", "--porcelain")),
    }


def versions() -> dict[str, str]:
    """The libraries that take part."""
    return {name: version(name) for name in _LIBRARIES}


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    return done.stdout.strip()
