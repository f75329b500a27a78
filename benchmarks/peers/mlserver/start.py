"""Writes MLServer's settings of the model and becomes `mlserver start`."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

__all__ = ["main"]


def main() -> None:
    """Start the server in this process's place."""
    scratch = Path(os.environ["BENCH_SCRATCH"])
    model: dict[str, object] = {
        "name": os.environ["BENCH_WORKLOAD"],
        "implementation": "benchmarks.peers.mlserver.model.BenchModel",
    }
    if "BENCH_BATCH" in os.environ:
        model["max_batch_size"] = int(os.environ["BENCH_BATCH"])
        model["max_batch_time"] = float(os.environ["BENCH_WAIT_S"])
    (scratch / "model-settings.json").write_text(json.dumps(model))
    settings = {
        "host": "127.0.0.1",
        "http_port": int(os.environ["BENCH_PORT"]),
        "grpc_port": _free_port(),
        "metrics_port": _free_port(),
        "metrics_endpoint": None,
        "parallel_workers": int(os.environ.pop("MLSERVER_PARALLEL_WORKERS")),
        "gzip_enabled": False,
        "debug": False,
    }
    (scratch / "settings.json").write_text(json.dumps(settings))
    program = str(Path(sys.executable).with_name("mlserver"))
    os.execv(program, [program, "start", str(scratch)])


def _free_port() -> int:
    # gRPC and metrics cannot be switched off; nobody calls them here.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
