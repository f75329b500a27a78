"""Ray Serve: one deployment, with batching where the settings say so."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.handlers import Arrays, form_of, open_session, run, run_together

__all__ = ["Single", "Together", "main"]

_ONGOING = 256
"""Requests that one replica may hold: more than the load has connections."""
_STORE_BYTES = 200 * 2**20


class Single:
    """A replica that runs each request by itself."""

    def __init__(self, workload: str, model: str) -> None:
        self._form = form_of(workload)
        self._session = open_session(model)

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        rows = self._form.decode(await request.body())
        content = self._form.encode(run(self._session, self._form, rows))
        return Response(content, media_type=self._form.media_type)


class Together:
    """A replica that gathers requests."""

    def __init__(self, workload: str, model: str, size: int, wait_s: float) -> None:
        self._form = form_of(workload)
        self._session = open_session(model)
        self._predict.set_max_batch_size(size)
        self._predict.set_batch_wait_timeout_s(wait_s)

    async def __call__(self, request: Request) -> Response:
        """Answer one request, with others in one inference."""
        answer = await self._predict(self._form.decode(await request.body()))
        return Response(self._form.encode(answer), media_type=self._form.media_type)

    @serve.batch
    async def _predict(self, requests: list[Arrays]) -> list[Arrays]:
        return run_together(self._session, self._form, requests)


def main() -> None:
    """Serve on the loopback address until told to stop."""
    workload, model = os.environ["BENCH_WORKLOAD"], str(Path(os.environ["BENCH_MODEL"]).absolute())
    replicas = int(os.environ["BENCH_WORKERS"])
    ray.init(
        include_dashboard=False,
        num_cpus=replicas,
        object_store_memory=_STORE_BYTES,
        _temp_dir=f"{os.environ['BENCH_SCRATCH']}/ray",
    )
    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=int(os.environ["BENCH_PORT"])))
    options = serve.deployment(
        num_replicas=replicas,
        max_ongoing_requests=_ONGOING,
        ray_actor_options={"num_cpus": 0.5},
        logging_config={"enable_access_log": False},
    )
    if "BENCH_BATCH" in os.environ:
        size, wait_s = int(os.environ["BENCH_BATCH"]), float(os.environ["BENCH_WAIT_S"])
        application = options(Together).bind(workload, model, size, wait_s)
    else:
        application = options(Single).bind(workload, model)
    serve.run(application, route_prefix="/predict")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    ended.wait()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
