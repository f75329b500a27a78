"""The servers that are measured: the command, its environment, and how a workload is asked.

Each peer has its documented best settings on few cores: as many workers as cores, and ONNX
Runtime on one thread in each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calls import Call, binary_inference, json_call, raw_call
from benchmarks.workloads import ROOT, Workload

__all__ = ["MODELPORT", "SERVERS", "Server", "programs"]

MODELPORT = "modelport"


@dataclass(frozen=True)
class Server:
    """One way to serve a workload."""

    name: str
    command: Callable[[Workload, int, int], list[str]]
    """From the workload, the port and the number of workers."""
    environment: Callable[[Workload, Path], Mapping[str, str]]
    """From the workload and a folder of the server's own; added to a minimal environment."""
    call: Callable[[Workload, bytes], Call]
    """From the workload and its request's body."""


def programs() -> Path:
    """The folder of this interpreter's programs, relative to the repository if inside it."""
    folder = Path(sys.executable).parent
    return folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder


def _modelport(workload: Workload, port: int, workers: int) -> list[str]:
    command = [str(programs() / "modelport"), "serve", str(workload.repository)]
    return [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]


def _gunicorn(*options: str) -> Callable[[Workload, int, int], list[str]]:
    def command(_: Workload, port: int, workers: int) -> list[str]:
        address = [f"--bind=127.0.0.1:{port}", f"--workers={workers}", "--reuse-port"]
        factory = "benchmarks.peers.flask_app:create_app()"
        return [str(programs() / "gunicorn"), *address, *options, factory]

    return command


def _uvicorn(_: Workload, port: int, workers: int) -> list[str]:
    command = [str(programs() / "uvicorn"), "--factory", "benchmarks.peers.fastapi_app:create_app"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    return [*command, "--loop", "uvloop", "--http", "httptools", "--no-access-log"]


def _modelport_environment(_: Workload, scratch: Path) -> Mapping[str, str]:
    return {"MODELPORT_STATE_DIR": str(scratch / "state")}


def _peer_environment(workload: Workload, _: Path) -> Mapping[str, str]:
    return {"BENCH_WORKLOAD": workload.name, "BENCH_MODEL": str(workload.model)}


def _modelport_call(workload: Workload, body: bytes) -> Call:
    if workload.name == "image":
        return binary_inference("/v2/models/image/infer", body)
    return json_call(f"/models/{workload.name}/predict", body)


def _peer_call(workload: Workload, body: bytes) -> Call:
    return (raw_call if workload.name == "image" else json_call)("/predict", body)


SERVERS = {
    server.name: server
    for server in (
        Server(MODELPORT, _modelport, _modelport_environment, _modelport_call),
        Server(
            "flask-gthread",
            _gunicorn("--worker-class=gthread", "--threads=4", "--keep-alive=30"),
            _peer_environment,
            _peer_call,
        ),
        Server("flask-sync", _gunicorn("--worker-class=sync"), _peer_environment, _peer_call),
        Server("fastapi", _uvicorn, _peer_environment, _peer_call),
    )
}
