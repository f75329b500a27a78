"""Rows of different lengths in one batch: checked when a version is loaded, and counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from modelport.core.messages import InferRequest, InferResponse
from modelport.core.tensors import Batch
from modelport.engine.executor import Run
from modelport.engine.facade import Engine
from modelport.engine.lanes import Lanes
from modelport.engine.lifecycle import State, Version
from modelport.engine.limits import Limits
from modelport.engine.merging import Padding
from modelport.engine.opening import Settings
from modelport.repository.layout import Source
from modelport.semantics.fields import PlainView
from modelport.semantics.plain import read
from tests.http.models import graph

Sources = Callable[..., Source]
FREE: list[int | str | None] = ["rows", "length"]
MASKED = graph(
    [
        ("Mul", ["x", "mask"], ["real"]),
        ("ReduceSum", ["real", "axis"], ["total"]),
        ("Add", ["x", "total"], ["y"]),
    ],
    [("x", TensorProto.FLOAT, FREE), ("mask", TensorProto.FLOAT, FREE)],
    [("y", TensorProto.FLOAT, FREE), ("total", TensorProto.FLOAT, ["rows", 1])],
    {"axis": np.array([1])},
).SerializeToString()
"""`total` is the sum of what the mask leaves of a row, and `y` that added to each of it."""
MASK = '[inputs.mask]\nmask_of = "x"\n'
PAD = "[inputs.x]\npad = 7\n"
CUT = '[outputs.y]\ncut_like = "x"\n'


def loaded(source: Source) -> Version:
    version = Version(source)
    version.load(Settings())
    assert version.state is State.READY, version.reason
    return version


def test_a_declaration_that_holds_is_used(source: Sources) -> None:
    version = loaded(source(MASKED, toml=MASK + PAD + CUT))
    assert version.merges
    assert version.padding == Padding({"x": 7, "mask": 0}, {"y": "x"})


@pytest.mark.parametrize(
    ("toml", "wrong"),
    [
        (PAD + CUT + "[inputs.mask]\npad = 1\n", "total|y"),
        (MASK + PAD, "y"),
        (PAD + CUT, None),
    ],
    ids=["no mask", "not cut", "only one of two"],
)
def test_a_declaration_that_does_not_hold_is_told_and_left_out(
    source: Sources, caplog: pytest.LogCaptureFixture, toml: str, wrong: str | None
) -> None:
    with caplog.at_level(logging.WARNING):
        version = loaded(source(MASKED, toml=toml))
    assert version.merges
    assert version.padding == Padding()
    (told,) = (r.getMessage() for r in caplog.records if "different lengths" in r.getMessage())
    if wrong is not None:
        assert any(
            f"'{name}' is not what it is for each row alone" in told for name in wrong.split("|")
        )


def test_the_owners_example_may_be_the_longest_that_the_model_takes(source: Sources) -> None:
    example = "[[examples]]\ninput = { x = [1, 2, 3, 4, 5, 6] }\n"
    assert loaded(source(MASKED, toml=MASK + PAD + CUT + example)).padding.values


def test_a_mask_need_not_be_sent_and_counts_where_it_is(source: Sources) -> None:
    version = loaded(source(MASKED, toml=MASK))
    view: PlainView = version.loaded.view
    assert [field.name for field in view.fields] == ["x"]

    def total(body: object) -> list[list[float]]:
        inputs = version.loaded.prepared(read(view, body).inputs).inputs
        view.signature.check(inputs)
        outputs: Any = version.loaded.model.predict(inputs)
        return outputs["total"].tolist()  # type: ignore[no-any-return]

    assert total({"x": [1, 2, 4]}) == [[7]]
    assert total([[1, 2, 4], [1, 1, 1]]) == [[7], [3]]
    assert total({"x": [1, 2, 4], "mask": [1, 0, 1]}) == [[5]]


def test_requests_of_different_lengths_share_a_batch_and_its_waste_is_counted(
    source: Sources,
) -> None:
    version = loaded(source(MASKED, toml=MASK + PAD + CUT))
    lanes = Lanes(1, Limits())
    rows = [np.arange(1, 33 + n % 7, dtype=np.float32)[None] for n in range(64)]

    async def one(x: Any) -> Run:
        inputs: Batch = {"x": x, "mask": np.ones_like(x)}
        return await lanes.run(version, version.loaded, InferRequest(inputs=inputs), 1)

    async def main() -> list[Run]:
        async with asyncio.timeout(20):
            return await asyncio.gather(*map(one, rows))

    runs = asyncio.run(main())
    for x, (outputs, _, _, _) in zip(rows, runs, strict=True):
        assert outputs["total"].tolist() == [[x.sum()]]
        assert outputs["y"].tolist() == (x + x.sum()).tolist()
    assert max(together for *_, together in runs) > 1
    real = 2 * sum(x.size for x in rows)
    assert version.waste.padding == version.waste.elements - real
    assert 0 < version.waste.padding < version.waste.elements / 5
    lanes.close()
    version.close()


def test_the_engine_makes_the_mask_of_a_request(source: Sources) -> None:
    engine = Engine([source(MASKED, toml=MASK + PAD + CUT)], Settings())

    async def main() -> list[Any]:
        await engine.load()
        version = engine.find("m")
        request = InferRequest(inputs={"x": np.ones((2, 3), np.float32)}, deadline=None)
        answer = engine.infer(version, version.loaded, request)
        response = answer if isinstance(answer, InferResponse) else await answer
        return response.outputs["total"].tolist()  # type: ignore[no-any-return]

    assert asyncio.run(main()) == [[3], [3]]
    version = engine.find("m")
    assert engine.batch_rows(version) == Limits().rows
    engine.close()
