"""BentoML: one service with one batchable API."""

# BentoML reads the types of the API's parameters when it is declared: they are no strings here.

import base64
import os
from typing import Any

import bentoml
import numpy as np

from benchmarks.forms import INPUTS
from benchmarks.peers.handlers import Arrays, form_of, open_session, run

__all__ = ["Bench"]

_WORKLOAD = os.environ["BENCH_WORKLOAD"]
_FORM = form_of(_WORKLOAD)
_DTYPES = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64}


@bentoml.service(
    workers=int(os.environ["BENCH_WORKERS"]),
    traffic={"timeout": 60},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Bench:
    """Opens the model in each worker."""

    def __init__(self) -> None:
        self._session = open_session(os.environ["BENCH_MODEL"])

    @bentoml.api(batchable=True, max_batch_size=int(os.environ["BENCH_BATCH"]), route="/predict")
    def predict(self, rows: list[Any]) -> list[list[float]]:
        """One inference on the rows that BentoML has gathered."""
        outputs = run(self._session, _FORM, _arrays(rows))
        flat = [output.reshape(len(rows), -1) for output in outputs]
        return np.concatenate(flat, axis=1).tolist() if len(flat) > 1 else flat[0].tolist()


def _arrays(rows: list[Any]) -> Arrays:
    if _WORKLOAD == "image":
        return [np.concatenate([_FORM.decode(base64.b64decode(row))[0] for row in rows])]
    tensors = INPUTS[_WORKLOAD]
    columns = [rows] if len(tensors) == 1 else list(zip(*rows, strict=True))
    return [
        np.array(column, _DTYPES[tensor.datatype])
        for tensor, column in zip(tensors, columns, strict=True)
    ]
