"""PyTorch: networks saved as TorchScript and by `torch.export`, asked before they were saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]

_COLOURS = ["red", "green", "blue"]
_TOKENS_TOML = """
[inputs.ids]
dtype = "INT64"
shape = [-1, -1]

[inputs.weight]
dtype = "FP32"
shape = [-1, 1]

[outputs.scores]
kind = "logits"
classes = ["red", "green", "blue"]
"""


def _mlp() -> Any:
    import torch

    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 1)
    ).eval()


def _tokens() -> Any:
    """Averages the vectors of some words; two outputs, one for each colour and one for none."""
    import torch

    class Tokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(20, 6)
            self.head = torch.nn.Linear(6, 3)

        def forward(
            self, ids: torch.Tensor, weight: torch.Tensor, scale: float = 2.0
        ) -> dict[str, torch.Tensor]:
            mean = self.table(ids).mean(1) * weight * scale
            return {"scores": self.head(mean), "mean": mean}

    Tokens.forward.__annotations__ = {
        "ids": torch.Tensor,
        "weight": torch.Tensor,
        "scale": float,
        "return": dict[str, torch.Tensor],
    }
    torch.manual_seed(4)
    return Tokens().eval()


def _blobs() -> Any:
    """Two convolutions over images of any size."""
    import torch

    torch.manual_seed(5)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1)
    ).eval()


def _answers(model: Any, inputs: Mapping[str, np.ndarray]) -> Any:
    import torch

    with torch.inference_mode():
        return model(*(torch.from_numpy(value) for value in inputs.values()))


def _rows(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def _traced(folder: Path) -> Truth:
    import torch

    model, rows = _mlp(), _rows(6, 4)
    torch.jit.trace(model, torch.zeros(2, 4)).save(str(folder / "mlp.pt"))
    answer = _answers(model, {"x": rows}).numpy()
    return Truth(
        path="mlp.pt",
        inputs={"input": rows},
        outputs={"output": answer},
        prediction=answer[:, 0].tolist(),
        signature={"input": ("FP32", [-1, 4]), "output": ("FP32", [-1, 1])},
    )


def _token_rows() -> dict[str, np.ndarray]:
    ids = np.random.default_rng(8).integers(0, 20, size=(5, 7))
    return {"ids": ids, "weight": _rows(5, 1)}


def _token_truth(model: Any, path: str) -> Truth:
    inputs = _token_rows()
    answers = {name: value.numpy() for name, value in _answers(model, inputs).items()}
    return Truth(
        path=path,
        inputs=inputs,
        plain={"ids": inputs["ids"].tolist(), "weight": inputs["weight"][:, 0].tolist()},
        outputs=answers,
        prediction=[_COLOURS[at] for at in answers["scores"].argmax(1)],
        signature={
            "ids": ("INT64", [-1, -1]),
            "weight": ("FP32", [-1, 1]),
            "scores": ("FP32", [-1, 3]),
            "mean": ("FP32", [-1, 6]),
        },
    )


def _scripted(folder: Path) -> Truth:
    import torch

    model = _tokens()
    torch.jit.script(model).save(str(folder / "tokens.pt"))
    (folder / "model.toml").write_text(_TOKENS_TOML)
    return _token_truth(model, "tokens.pt")


def _exported(folder: Path) -> Truth:
    import torch

    model, rows, words = _tokens(), torch.export.Dim("rows"), torch.export.Dim("words", min=1)
    inputs = tuple(torch.from_numpy(value) for value in _token_rows().values())
    sizes = {"ids": {0: rows, 1: words}, "weight": {0: rows}}
    program = torch.export.export(model, inputs, dynamic_shapes=sizes)
    torch.export.save(program, folder / "tokens.pt2")
    (folder / "model.toml").write_text(_TOKENS_TOML)
    return _token_truth(model, "tokens.pt2")


def _exported_images(folder: Path) -> Truth:
    import torch

    model, rows = _blobs(), _rows(3, 3, 5, 6)
    auto = torch.export.Dim.AUTO
    program = torch.export.export(
        model, (torch.zeros(2, 3, 8, 9),), dynamic_shapes=({0: auto, 2: auto, 3: auto},)
    )
    torch.export.save(program, folder / "blobs.pt2")
    answer = _answers(model, {"input": rows}).numpy()
    return Truth(
        path="blobs.pt2",
        inputs={"input": rows},
        outputs={"output": answer},
        prediction=answer.tolist(),
        signature={"input": ("FP32", [-1, 3, -1, -1]), "output": ("FP32", [-1, 2, -1, -1])},
    )


CASES = {
    "torchscript-traced": Case(format="TorchScript", build=_traced),
    "torchscript-scripted": Case(format="TorchScript", build=_scripted),
    "torch-export-tokens": Case(format="torch.export", build=_exported),
    "torch-export-images": Case(format="torch.export", build=_exported_images),
}
