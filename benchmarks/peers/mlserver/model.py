"""The model as MLServer calls it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput
from numpy.typing import NDArray

from benchmarks.peers.handlers import form_of, open_session, run

__all__ = ["BenchModel"]


class BenchModel(MLModel):  # type: ignore[misc]  # known in its own environment alone
    """A custom runtime; MLServer joins the requests of a batch before it calls."""

    async def load(self) -> bool:
        """Open the model."""
        self._form = form_of(os.environ["BENCH_WORKLOAD"])
        self._session = open_session(os.environ["BENCH_MODEL"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One inference on the rows of the request."""
        outputs = run(self._session, self._form, [self._array(one) for one in payload.inputs])
        named = zip(self._form.outputs, outputs, strict=True)
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(name, value) for name, value in named],
        )

    def _array(self, given: RequestInput) -> NDArray[Any]:
        if given.datatype == "BYTES":
            pictures = Base64Codec.decode_input(given)
            return np.concatenate([self._form.decode(picture)[0] for picture in pictures])
        array: NDArray[Any] = NumpyCodec.decode_input(given)
        return array
