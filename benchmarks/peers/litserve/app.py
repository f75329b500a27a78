"""LitServe: one API class, with batching where the settings say so."""

# LitServe looks at the type of `decode_request`'s parameter: it is no string here.

import base64
import os
from typing import Any

import litserve
import orjson
from fastapi import Request, Response

from benchmarks.peers.handlers import Arrays, form_of, open_session, run, run_together

__all__ = ["Predictor", "main"]

_FORM = form_of(os.environ["BENCH_WORKLOAD"])


class Predictor(litserve.LitAPI):
    """The steps that LitServe calls; `predict` takes a list where batches are formed."""

    def setup(self, device: str) -> None:
        """Open the model, in each worker."""
        self._session = open_session(os.environ["BENCH_MODEL"])

    def decode_request(self, request: Request) -> Arrays:
        """LitServe has parsed the JSON already."""
        if "image" in request:
            return _FORM.decode(base64.b64decode(request["image"]))
        return _FORM.decode(orjson.dumps(request))

    def batch(self, inputs: list[Arrays]) -> list[Arrays]:
        """The requests as they are: `predict` joins them."""
        return inputs

    def predict(self, x: Any) -> Any:
        """One inference, on one request or on those of a batch."""
        if self.max_batch_size > 1:
            return run_together(self._session, _FORM, x)
        return run(self._session, _FORM, x)

    def unbatch(self, output: list[Arrays]) -> list[Arrays]:
        """`predict` has parted them."""
        return output

    def encode_response(self, output: Arrays) -> Response:
        """Bytes, so that no other JSON encoder looks at the numbers."""
        return Response(_FORM.encode(output), media_type=_FORM.media_type)


def main() -> None:
    """Serve on the loopback address until told to stop."""
    size, wait_s = int(os.environ["BENCH_BATCH"]), float(os.environ.get("BENCH_WAIT_S", "0"))
    api = Predictor(max_batch_size=size, batch_timeout=wait_s)
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        devices=1,
        workers_per_device=int(os.environ["BENCH_INSTANCES"]),
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=int(os.environ["BENCH_FRONTS"]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
