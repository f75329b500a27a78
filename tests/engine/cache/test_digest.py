"""Requests are told apart by everything that an answer depends on, and by nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelport.core.messages import InferRequest
from modelport.core.tensors import bytes_tensor
from modelport.engine.cache.digest import digest_of

ROW = np.arange(6, dtype=np.float32)


def digest(identity: bytes = b"v1", outputs: tuple[str, ...] = (), **changes: Any) -> bytes | None:
    parameters = changes.pop("parameters", {})
    inputs = changes or {"x": ROW}
    return digest_of(identity, InferRequest(inputs=inputs, outputs=outputs, parameters=parameters))


def test_requests_that_differ_in_anything_have_different_digests() -> None:
    negative = ROW.copy()
    negative[0] = -0.0
    found = [
        digest(),
        digest(b"v2"),
        digest(outputs=("y",)),
        digest(outputs=("y", "z")),
        digest(outputs=("z", "y")),
        digest(parameters={"k": 1}),
        digest(parameters={"k": True}),
        digest(parameters={"k": 1.0}),
        digest(parameters={"k": "1"}),
        digest(y=ROW),
        digest(x=ROW, y=ROW),
        digest(x=ROW.reshape(2, 3)),
        digest(x=ROW.reshape(3, 2)),
        digest(x=ROW.astype(np.float64)),
        digest(x=ROW.view(np.int32)),
        digest(x=negative),
        digest(x=ROW[:0]),
        digest(x=ROW[:0].reshape(0, 3)),
        digest(x=bytes_tensor([b"ab", b"c"], (2,))),
        digest(x=bytes_tensor([b"a", b"bc"], (2,))),
        digest(x=np.array(["ab", "c"], object)),
    ]
    assert None not in found
    assert {len(each) for each in found if each} == {16}
    assert len(set(found)) == len(found)


def test_the_order_of_inputs_and_their_place_in_memory_do_not_matter() -> None:
    other = ROW + 1
    assert digest(x=ROW, y=other) == digest(y=other, x=ROW)
    square = np.arange(9.0).reshape(3, 3)
    assert digest(x=np.asfortranarray(square)) == digest(x=square)
    assert digest(x=square[:, ::2]) == digest(x=square[:, ::2].copy())
    assert digest(x=ROW.astype(">f4")) == digest(x=ROW)
    assert digest(parameters={"a": 1, "b": 2}) == digest(parameters={"b": 2, "a": 1})


@pytest.mark.parametrize(
    "changes", [{"x": np.array([1j])}, {"x": np.array([{}], object)}, {"parameters": {"k": 2**70}}]
)
def test_what_has_no_bytes_of_its_own_has_no_digest(changes: Any) -> None:
    assert digest(**changes) is None
