"""Our client against our server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import modelport
from modelport.core.errors import InvalidInput, ModelNotFound, NotReady
from tests.app.servers import LINEAR, Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(LINEAR, state=tmp_path_factory.mktemp("state"), workers=1) as server:
        yield server


def test_every_call_of_the_client_is_answered(served: Served) -> None:
    with modelport.Client(served.url) as client:
        assert client.is_live()
        assert client.is_ready()
        assert client.is_ready("linear")
        assert [model.name for model in client.models()] == ["linear"]
        assert client.metadata("linear")["inputs"][0]["datatype"] == "FP64"
        assert client.predict("linear", {"x": [1, 2, 3]}) == {"prediction": 1.8}
        assert client.predict(None, np.array([[1.0, 2.0, 3.0]])) == {"prediction": [1.8]}
        assert client.predict("linear", {"x": [1, 2, 3]}, version="1") == {"prediction": 1.8}
        outputs = client.infer("linear", {"x": np.array([[1.0, 2.0, 3.0]])})
        assert outputs["y"].tolist() == [1.8]


def test_errors_are_those_of_the_server(served: Served) -> None:
    with modelport.Client(served.url) as client:
        with pytest.raises(InvalidInput, match=r"takes one row as \[3\]"):
            client.predict("linear", {"x": [1, 2]})
        with pytest.raises(ModelNotFound):
            client.predict("other", {"x": [1, 2, 3]})
    with modelport.Client("http://127.0.0.1:9", timeout_s=1) as client, pytest.raises(NotReady):
        client.predict("linear", {"x": [1, 2, 3]})


def test_many_calls_at_once(served: Served) -> None:
    async def ask() -> list[object]:
        async with modelport.AsyncClient(served.url) as client:
            return await asyncio.gather(
                *(client.predict("linear", {"x": [1, 2, 3]}) for _ in range(200))
            )

    assert asyncio.run(ask()) == [{"prediction": 1.8}] * 200


def test_the_python_signature_of_a_call_is_typed() -> None:
    package = Path(modelport.__file__).parent
    assert (package / "py.typed").is_file()
