"""Functions of JAX, asked before they are exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _dense(folder: Path) -> Truth:
    """One input without a name, and a batch of any size."""
    import jax
    from jax import export

    rng = np.random.default_rng(3)
    weights = rng.normal(size=(4, 3)).astype(np.float32)

    def scores(x: Any) -> Any:
        return jax.nn.softmax(x @ weights)

    shape = jax.ShapeDtypeStruct(export.symbolic_shape("batch, 4"), np.float32)
    (folder / "model.jaxexport").write_bytes(export.export(jax.jit(scores))(shape).serialize())
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    answer = np.asarray(scores(rows))
    return Truth(
        path="model.jaxexport",
        inputs={"input_0": rows},
        outputs={"output_0": answer},
        prediction=answer.tolist(),
        signature={"input_0": ("FP32", [-1, 4]), "output_0": ("FP32", [-1, 3])},
    )


def _named(folder: Path) -> Truth:
    """Inputs and outputs in dictionaries, and a solver of LAPACK."""
    import jax
    import jax.numpy as jnp
    from jax import export

    def largest(given: Any) -> Any:
        matrix = given["matrix"]
        values = jnp.linalg.eigvalsh(matrix + jnp.swapaxes(matrix, 1, 2))
        return {"largest": values[:, -1] * given["scale"]}

    scope = export.SymbolicScope()
    shapes = {
        "matrix": jax.ShapeDtypeStruct(export.symbolic_shape("b, 3, 3", scope=scope), np.float32),
        "scale": jax.ShapeDtypeStruct(export.symbolic_shape("b", scope=scope), np.float32),
    }
    (folder / "model.jaxexport").write_bytes(export.export(jax.jit(largest))(shapes).serialize())
    rng = np.random.default_rng(4)
    given = {
        "matrix": rng.normal(size=(4, 3, 3)).astype(np.float32),
        "scale": rng.normal(size=4).astype(np.float32),
    }
    answer = np.asarray(largest(given)["largest"])
    return Truth(
        path="model.jaxexport",
        inputs=given,
        outputs={"largest": answer},
        prediction=answer.tolist(),
        signature={
            "matrix": ("FP32", [-1, 3, 3]),
            "scale": ("FP32", [-1]),
            "largest": ("FP32", [-1]),
        },
    )


CASES = {
    "jax": Case(format="JAX", build=_dense),
    "jax-named": Case(format="JAX", build=_named),
}
