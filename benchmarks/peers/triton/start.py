"""Lays out a model repository and Triton's backend, and becomes `tritonserver`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from benchmarks.forms import INPUTS, OUTPUTS, Tensor

__all__ = ["config", "main"]

_CONFIG = """\
backend: "python"
max_batch_size: {batch}
input [{inputs}]
output [{outputs}]
instance_group [{{ count: {instances}, kind: KIND_CPU }}]
dynamic_batching {{ max_queue_delay_microseconds: 0 }}
"""
_THREADS = 2


def config(workload: str, batch: int, instances: int) -> str:
    """The model's `config.pbtxt`."""
    inputs, outputs = (", ".join(map(_tensor, t)) for t in (INPUTS[workload], OUTPUTS[workload]))
    return _CONFIG.format(batch=batch, inputs=inputs, outputs=outputs, instances=instances)


def main() -> None:
    """Start the server in this process's place."""
    scratch = Path(os.environ["BENCH_SCRATCH"])
    repository, backends = scratch / "repository", scratch / "backends"
    _lay_model(repository / os.environ["BENCH_WORKLOAD"])
    libraries = _lay_backend(backends)
    own = sysconfig.get_config_var("LIBDIR")
    os.environ["LD_LIBRARY_PATH"] = f"{libraries}:{own}"
    # The backend embeds Python, and finds this environment's packages by the first `python3` there.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    program = _distribution() / "bin" / "tritonserver"
    options = {
        "model-repository": repository,
        "backend-directory": backends,
        "http-address": "127.0.0.1",
        "http-port": os.environ["BENCH_PORT"],
        "http-thread-count": _THREADS,
        "allow-grpc": "false",
        "allow-metrics": "false",
        "log-info": "false",
        "exit-timeout-secs": 2,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    os.execv(program, [str(program), *arguments])


def _lay_model(folder: Path) -> None:
    version = folder / "1"
    version.mkdir(parents=True)
    settings = (int(os.environ[name]) for name in ("BENCH_BATCH", "BENCH_INSTANCES"))
    (folder / "config.pbtxt").write_text(config(os.environ["BENCH_WORKLOAD"], *settings))
    shutil.copy(Path(__file__).with_name("model.py"), version / "model.py")


def _lay_backend(folder: Path) -> Path:
    """Copy the backend with the stub for this Python; returns where its libraries are."""
    distribution = _distribution()
    backend = folder / "python"
    shutil.copytree(distribution / "backends" / "python", backend)
    stub = "triton_python_backend_stub"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copy(distribution / "python_backend_stubs" / python / stub, backend / stub)
    return distribution.parent.parent / "nvidia_pytriton.libs"


def _distribution() -> Path:
    # Found and not imported: the package asks for dependencies that the server does not need.
    found = importlib.util.find_spec("pytriton")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "tritonserver"


def _tensor(tensor: Tensor) -> str:
    kind = f"TYPE_{tensor.datatype}"
    dims = ", ".join(map(str, tensor.shape or (1,)))
    return f'{{ name: "{tensor.name}", data_type: {kind}, dims: [{dims}] }}'


if __name__ == "__main__":
    main()
