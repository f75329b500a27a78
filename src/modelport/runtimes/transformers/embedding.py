"""One vector for each text, from the vectors of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from modelport.core.tensors import Array
from modelport.runtimes.transformers.text import Encoded

__all__ = ["POOLINGS", "Pooling", "Step", "embedding_head"]

Pooling: TypeAlias = Callable[[Any, Any], Any]
"""From token vectors `[rows, tokens, size]` and their mask `[rows, tokens]` to `[rows, size]`."""
Step: TypeAlias = Callable[[Any], Any]
"""From vectors to vectors, `[rows, size]`."""


def _mean(tokens: Any, mask: Any) -> Any:
    return _sum(tokens, mask) / _count(mask)


def _mean_sqrt(tokens: Any, mask: Any) -> Any:
    return _sum(tokens, mask) / torch.sqrt(_count(mask))


def _max(tokens: Any, mask: Any) -> Any:
    return tokens.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).max(dim=1).values


def _first(tokens: Any, mask: Any) -> Any:
    return tokens[torch.arange(len(tokens)), mask.argmax(dim=1)]


def _last(tokens: Any, mask: Any) -> Any:
    return tokens[torch.arange(len(tokens)), mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)]


def _weighted_mean(tokens: Any, mask: Any) -> Any:
    """Later tokens count more: the first once, the second twice."""
    return _mean(tokens, mask * mask.cumsum(dim=1))


def _sum(tokens: Any, mask: Any) -> Any:
    return (tokens * mask.unsqueeze(-1).to(tokens.dtype)).sum(dim=1)


def _count(mask: Any) -> Any:
    return mask.sum(dim=1, keepdim=True).to(torch.float32).clamp(min=1e-9)


POOLINGS: dict[str, Pooling] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
"""By sentence-transformers' names."""


def embedding_head(
    network: Any, poolings: Sequence[Pooling], steps: Sequence[Step] = ()
) -> Callable[[Encoded], dict[str, Array]]:
    """The output `embedding`: the poolings side by side, then each step in turn."""

    def head(encoded: Encoded) -> dict[str, Array]:
        tokens = network(**encoded.fields).last_hidden_state
        mask = encoded.fields["attention_mask"]
        vectors = torch.cat([pooling(tokens, mask) for pooling in poolings], dim=-1)
        for step in steps:
            vectors = step(vectors)
        return {"embedding": vectors.numpy()}

    return head
