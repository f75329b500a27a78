"""Python: a function of named fields, and a class of arrays, beside their own answers."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def price(area: float, city: str) -> float:
    """The price of a flat."""
    return area * (4.5 if city == "Köln" else 2.0)


class Scale:
    """Rows times two, and their sums."""

    def predict(
        self, x: Annotated[npt.NDArray[np.float32], (None, 3)]
    ) -> Annotated[npt.NDArray[np.float32], (None, 3)]:
        return x * np.float32(2)


def _function(folder: Path) -> Truth:
    (folder / "model.py").write_text(inspect.getsource(price))
    flats = [{"area": 50.0, "city": "Köln"}, {"area": 70.5, "city": "Bonn"}]
    flats.append({"area": 20.0, "city": "Köln"})
    answer = [price(**flat) for flat in flats]
    return Truth(
        path="model.py",
        inputs={
            "area": np.array([[flat["area"]] for flat in flats]),
            "city": [[flat["city"]] for flat in flats],
        },
        outputs={"output": np.array(answer)},
        prediction=answer,
        signature={
            "area": ("FP64", [-1, 1]),
            "city": ("BYTES", [-1, 1]),
            "output": ("FP64", [-1]),
        },
        plain=flats,
    )


def _class(folder: Path) -> Truth:
    head = "import numpy as np\nimport numpy.typing as npt\nfrom typing import Annotated\n\n\n"
    (folder / "model.py").write_text(head + inspect.getsource(Scale))
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    answer = Scale().predict(rows)
    return Truth(
        path="model.py",
        inputs={"x": rows},
        outputs={"output": answer},
        prediction=answer.tolist(),
        signature={"x": ("FP32", [-1, 3]), "output": ("FP32", [-1, 3])},
    )


CASES = {
    "python-function": Case(format="Python", build=_function, attribute="price"),
    "python-class": Case(format="Python", build=_class, attribute="Scale"),
}
