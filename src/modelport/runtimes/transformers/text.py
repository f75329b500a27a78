"""From texts to a network's outputs: tokens, batches of rows of like length, and their masks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from modelport.core.errors import InvalidInput
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, Batch, DType, decode_text
from modelport.runtimes.base import Description

__all__ = ["TEXT", "Encoded", "Head", "TextModel", "Tokens", "answers", "max_tokens"]

TEXT = TensorSpec("text", DType.BYTES, (None,))
"""The one input of a model of texts."""

_ROWS = 32
"""Rows that run at once; those of like length together, so that little of a run is padding."""
_UNKNOWN_LENGTH = 512


@dataclass(frozen=True)
class Encoded:
    """Some rows of a request as a network takes them."""

    texts: Sequence[str]
    fields: dict[str, Any]
    """Tensors for the network, equally long rows by padding."""
    offsets: Array
    """By row and token, the characters of the text from and to which it reaches."""
    special: Array
    """By row and token, whether the tokenizer added it."""


Head: TypeAlias = Callable[[Encoded], dict[str, Array]]
"""From rows to outputs."""


class Tokens:
    """A tokenizer that cuts texts at `limit` tokens."""

    def __init__(self, tokenizer: Any, limit: int, prefix: str = "", lower: bool = False) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self._prefix = prefix
        self._lower = lower
        self._fields = set(tokenizer.model_input_names)
        self._lock = threading.Lock()

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[Array, Encoded]]:
        """Rows of like length, with their places among the texts."""
        texts = [self._prefix + text for text in texts]
        rows = self._rows([text.lower() for text in texts] if self._lower else texts)
        order = np.argsort([len(ids) for ids in rows["input_ids"]], kind="stable")
        for at in range(0, len(order), _ROWS):
            places = order[at : at + _ROWS]
            yield places, self._padded([texts[place] for place in places], rows, places)

    def _rows(self, texts: Sequence[str]) -> Any:
        with self._lock:  # a tokenizer keeps how it truncates, and several threads may call
            rows = self._tokenizer(
                list(texts),
                truncation=True,
                max_length=self._limit,
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
            )
        empty = next((at for at, ids in enumerate(rows["input_ids"]) if not ids), None)
        if empty is not None:
            raise InvalidInput(f"text {empty} is empty to the model's tokenizer", tensor=TEXT.name)
        return rows

    def _padded(self, texts: Sequence[str], rows: Any, places: Array) -> Encoded:
        fields = {n: [v[at] for at in places] for n, v in rows.items() if n in self._fields}
        padded = dict(self._tokenizer.pad(fields, return_tensors="pt"))
        left = self._tokenizer.padding_side == "left"
        length = padded["input_ids"].shape[1]
        offsets = [_filled(rows["offset_mapping"][at], (0, 0), length, left) for at in places]
        special = [_filled(rows["special_tokens_mask"][at], 1, length, left) for at in places]
        return Encoded(texts, padded, np.array(offsets), np.array(special, dtype=bool))


def _filled(values: Sequence[Any], fill: Any, length: int, left: bool) -> list[Any]:
    rest = [fill] * (length - len(values))
    return [*rest, *values] if left else [*values, *rest]


class TextModel:
    """Tokenizer, network and head as one model of texts."""

    def __init__(self, tokens: Tokens, head: Head, description: Description) -> None:
        self._tokens = tokens
        self._head = head
        self.description = description

    def predict(self, batch: Batch) -> Batch:
        """The head's answers, in the order of the texts."""
        texts = decode_text(TEXT.name, batch[TEXT.name]).tolist()
        return answers(self._tokens, self._head, texts)

    def close(self) -> None:
        """Give the weights' memory back."""
        for name in ("_tokens", "_head"):
            vars(self).pop(name, None)


def answers(tokens: Tokens, head: Head, texts: Sequence[str]) -> dict[str, Array]:
    """The head's answers for texts, in their order."""
    places: list[Array] = []
    found: list[dict[str, Array]] = []
    for rows, encoded in tokens.batches(texts):
        places.append(rows)
        with torch.inference_mode():
            found.append(head(encoded))
    back = np.argsort(np.concatenate(places))
    return {name: np.concatenate([part[name] for part in found])[back] for name in found[0]}


def max_tokens(tokenizer: Any, network: Any) -> int:
    """The longest text in tokens that both the tokenizer and the network take; else 512."""
    positions = getattr(network.config, "max_position_embeddings", None)
    known = [tokenizer.model_max_length]
    if isinstance(positions, int) and positions > 0:
        known.append(positions - _first_position(network))
    limit = min(known)
    return limit if limit < 1_000_000 else _UNKNOWN_LENGTH  # tokenizers say 1e30 for no limit


def _first_position(network: Any) -> int:
    """How many positions RoBERTa and its kin leave unused: those up to the padding's index."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings"):
            padding = getattr(module, "padding_idx", None)
            return 0 if padding is None else padding + 1
    return 0
