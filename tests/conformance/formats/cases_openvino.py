"""OpenVINO IR, made with OpenVINO's own operations; the truth is numpy's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _openvino() -> tuple[Any, Any]:
    """OpenVINO without its telemetry, and its operations."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino as ov
    from openvino import opset13 as ops

    return ov, ops


def _dense(folder: Path) -> Truth:
    ov, ops = _openvino()
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(4, 3)).astype(np.float32)
    x = ops.parameter([-1, 4], np.float32, "x")
    x.output(0).set_names({"x"})
    hidden = ops.matmul(x, ops.constant(weights), False, False)
    y = ops.softmax(hidden, 1)
    y.output(0).set_names({"scores"})
    model = ov.Model([y], [x], "dense")
    ov.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    answer = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(rows)[0]
    return Truth(
        path="model.xml",
        inputs={"x": rows},
        outputs={"scores": answer},
        prediction=answer.tolist(),
        signature={"x": ("FP32", [-1, 4]), "scores": ("FP32", [-1, 3])},
    )


def _two_inputs(folder: Path) -> Truth:
    """Integers beside numbers, with a sequence of a free length."""
    ov, ops = _openvino()
    rng = np.random.default_rng(6)
    table = rng.normal(size=(10, 3)).astype(np.float32)
    ids = ops.parameter([-1, -1], np.int64, "ids")
    ids.output(0).set_names({"ids"})
    scale = ops.parameter([-1], np.float32, "scale")
    scale.output(0).set_names({"scale"})
    found = ops.gather(ops.constant(table), ids, ops.constant(np.int64(0)))
    mean = ops.reduce_mean(found, ops.constant(np.array([1])))
    y = ops.multiply(mean, ops.unsqueeze(scale, ops.constant(np.array([1]))))
    y.output(0).set_names({"y"})
    ov.save_model(ov.Model([y], [ids, scale], "m"), str(folder / "model.xml"), False)
    rows = rng.integers(0, 10, size=(4, 6))
    scales = rng.normal(size=4).astype(np.float32)
    answer = table[rows].mean(axis=1) * scales[:, None]
    return Truth(
        path="model.xml",
        inputs={"ids": rows, "scale": scales},
        outputs={"y": answer},
        prediction=answer.tolist(),
        signature={
            "ids": ("INT64", [-1, -1]),
            "scale": ("FP32", [-1]),
            "y": ("FP32", [-1, 3]),
        },
    )


CASES = {
    "openvino": Case(format="OpenVINO", build=_dense),
    "openvino-two-inputs": Case(format="OpenVINO", build=_two_inputs),
}
