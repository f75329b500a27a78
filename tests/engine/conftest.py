"""Models without a file, and versions with one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.semantics import Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.engine.lifecycle import State, Version
from modelport.engine.opening import LoadedModel
from modelport.engine.warming import size_measure
from modelport.repository.integrity import digest
from modelport.repository.layout import Source
from modelport.runtimes.base import Description
from modelport.semantics.fast import json_decoder
from modelport.semantics.fields import plain_view
from modelport.semantics.labels import plain_answer
from modelport.semantics.ranges import limits

SIGNATURE = Signature(
    (TensorSpec("x", DType.FP64, (None,)),),
    (TensorSpec("y", DType.FP64, (None,)), TensorSpec("z", DType.FP64, (None,))),
)


class FunctionModel:
    """A model that calls a function with `x` and gives its answer as `y`, and `x` as `z`."""

    def __init__(
        self, function: Callable[[Any], Any], execution: Any, signature: Signature
    ) -> None:
        self.description = Description(
            runtime="test", signature=signature, semantics=Semantics(), execution=execution
        )
        self._function = function
        self.closed = False

    def predict(self, batch: Batch) -> Batch | Awaitable[Batch]:
        x = batch["x"]
        if self.description.execution == "async":
            return self._later(x)
        return {"y": np.asarray(self._function(x)), "z": x}

    async def _later(self, x: Any) -> Batch:
        return {"y": np.asarray(await self._function(x)), "z": x}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def served() -> Callable[..., tuple[Version, LoadedModel]]:
    """A ready version of a function, with the time that a row of it is thought to take."""

    def make(
        function: Callable[[Any], Any],
        execution: str = "compute",
        seconds_per_unit: float = 0.0,
        name: str = "m",
        signature: Signature = SIGNATURE,
    ) -> tuple[Version, LoadedModel]:
        model = FunctionModel(function, execution, signature)
        version = Version(Source(name=name, version="1", path="", toml=""))
        version.state = State.READY
        version.size_of = size_measure(signature)
        version.seconds_per_unit = seconds_per_unit
        view = plain_view(signature, Semantics())
        loaded = LoadedModel(
            model=model,
            digest="",
            description=model.description,
            semantics=Semantics(),
            view=view,
            decode_json=json_decoder(view),
            check_limits=limits(view),
            answer=plain_answer(view),
            count_rows=signature.check,
        )
        return version, loaded

    return make


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Source]:
    """A version's source: a file with that content, and its `model.toml`."""

    def make(
        content: bytes | str,
        file: str = "model.onnx",
        toml: str | None = None,
        name: str = "m",
        version: str = "1",
        attribute: str | None = None,
    ) -> Source:
        folder = tmp_path / name / version
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        if toml is not None:
            (folder / "model.toml").write_text(toml)
        return Source(
            name=name,
            version=version,
            path=str(path),
            toml=str(folder / "model.toml"),
            attribute=attribute,
        )

    return make


@pytest.fixture
def trusted() -> Callable[[Source], frozenset[str]]:
    """The digests that allow a source to run."""
    return lambda source: frozenset({digest(Path(source.path))})
