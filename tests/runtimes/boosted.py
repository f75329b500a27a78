"""What the tests of boosted trees share: loading a file, and damaging it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from modelport.repository.integrity import digest
from modelport.runtimes.base import LoadOptions, Model, load


def load_file(path: Path, cache: Path | None = None) -> Model:
    """The model in a file, which need not be trusted."""
    return load(path, LoadOptions(digest=digest(path), cache_dir=cache))


def ask(model: Model, **inputs: Any) -> dict[str, Any]:
    """The answers, with signature and types checked."""
    batch = {name: np.asarray(value) for name, value in inputs.items()}
    for value in batch.values():
        value.flags.writeable = False
    signature = model.description.signature
    signature.check(batch)
    answer: Any = model.predict(batch)
    assert list(answer) == [spec.name for spec in signature.outputs]
    for spec in signature.outputs:
        spec.check(answer[spec.name])
    return dict(answer)


def table(rows: int = 300) -> Any:
    """Rows of four numbers, some of them missing or 0, and a target."""
    rng = np.random.default_rng(0)
    rows_of = rng.normal(size=(rows, 4))
    target = rows_of[:, 0] - 2 * rows_of[:, 1] + rng.normal(size=rows) / 10
    rows_of[::7, 1] = np.nan
    rows_of[::5, 2] = 0
    return rows_of, target
