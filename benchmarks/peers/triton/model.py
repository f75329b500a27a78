"""The model as Triton's Python backend calls it; copied into the repository that is served."""

from __future__ import annotations

import os
from typing import Any

import triton_python_backend_utils as pb_utils

from benchmarks.peers.handlers import form_of, open_session, run_together

__all__ = ["TritonPythonModel"]


class TritonPythonModel:
    """One instance: a process of its own."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the model."""
        self._form = form_of(os.environ["BENCH_WORKLOAD"])
        self._session = open_session(os.environ["BENCH_MODEL"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """One inference on all the requests that Triton has gathered."""
        rows = [
            [
                pb_utils.get_input_tensor_by_name(request, name).as_numpy()
                for name in self._form.inputs
            ]
            for request in requests
        ]
        return [self._response(answer) for answer in run_together(self._session, self._form, rows)]

    def _response(self, outputs: list[Any]) -> Any:
        # A label has no dimension of its own, and Triton knows no tensor without one.
        tensors = [output.reshape(1, -1) for output in outputs]
        named = zip(self._form.outputs, tensors, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in named])
