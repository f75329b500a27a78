"""Texts: cut into tokens by the tokenizer that lies beside the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from modelport.core.errors import InvalidInput, MissingLibrary
from modelport.core.semantics import Field, Text
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, Batch, DType, decode_text
from modelport.semantics.fields import InputField
from modelport.semantics.preparation import LONG, Check, Preparation, Prepared, unfit

__all__ = ["text_preparation"]

_USUAL_LENGTH = 512
_LONGEST = 4_000_000
"""Characters of one request, and tokens that are made of them; so many take seconds."""
_MOST = 100_000
"""Texts of one request; the tokenizer keeps a kilobyte for each, however short."""
_PART = 100_000
"""Characters that are cut before it is asked whether anybody still waits."""
_PADDINGS = ("[PAD]", "<pad>", "<|endoftext|>", "</s>")


def text_preparation(name: str, meaning: Text, signature: Signature, folder: Path) -> Preparation:
    """The preparation that fills the tensors of tokens from texts.

    Args:
        name: under which a text is given: BYTES `[rows]`, UTF-8.
        meaning: the tokenizer's file and the names of the tensors.
        signature: the model's; its tensors are INT32 or INT64 `[rows, tokens]`.
        folder: where the tokenizer's file lies.

    Raises:
        ConfigError: the file or a tensor is not there, or the meaning does not go with them.
        MissingLibrary: the tokenizers library is not installed.
    """
    specs = _specs(name, meaning, signature)
    ids = specs[meaning.tensor]
    tokenizer = _tokenizer(name, meaning, folder)
    limit, length = _lengths(name, meaning, ids, tokenizer)
    padding = _set_up(tokenizer, limit if meaning.truncate else None)
    kinds = {meaning.tensor: "ids", meaning.mask: "attention_mask", meaning.types: "type_ids"}
    kinds = {tensor: kind for tensor, kind in kinds.items() if tensor in specs}
    source = TensorSpec(name, DType.BYTES, (None,) if ids.is_batched else (1,))
    field = InputField(
        name,
        source,
        Field(description=meaning.description),
        kind="text",
        source_of=tuple(specs),
    )

    def run(inputs: Batch, check: Check) -> Prepared:
        texts = decode_text(name, inputs[name]).tolist()
        _check_size(name, texts, length or 1)
        encodings: list[Any] = []
        for part in _parts(texts):
            check()
            encodings += tokenizer.encode_batch(part)
        lengths = [len(encoding) for encoding in encodings]
        for at, tokens in enumerate(lengths):
            _check_length(name, at, tokens, limit)
        _check_size(name, texts, length or max(lengths))
        made = {
            tensor: _padded(encodings, kind, padding, length or max(lengths), specs[tensor])
            for tensor, kind in kinds.items()
        }
        return Prepared(made)

    return Preparation(fields=(field,), run=run, short_bytes=LONG)


def _specs(name: str, meaning: Text, signature: Signature) -> dict[str, TensorSpec]:
    """The model's tensors that a text fills, that of the tokens first."""
    own = {spec.name: spec for spec in signature.inputs}
    if meaning.tensor not in own:
        raise unfit(
            name,
            f"the model has no tensor '{meaning.tensor}' for tokens; say tensor = one of"
            f" {', '.join(own)}",
        )
    found = {n: own[n] for n in (meaning.tensor, meaning.mask, meaning.types) if n in own}
    for spec in found.values():
        if spec.dtype not in (DType.INT32, DType.INT64) or len(spec.shape) not in (1, 2):
            raise unfit(
                name,
                f"tokens are INT32 or INT64 of shape [rows, tokens], and '{spec.name}' is"
                f" {spec.dtype.value} with {len(spec.shape)} axes",
            )
    return found


def _tokenizer(name: str, meaning: Text, folder: Path) -> Any:
    place = PurePosixPath(meaning.tokenizer)
    if place.is_absolute() or ".." in place.parts or "\0" in meaning.tokenizer:
        raise unfit(name, "tokenizer is the name of a file beside the model, or below it")
    path = folder / place
    if not path.is_file():
        raise unfit(name, f"there is no file '{meaning.tokenizer}' beside the model")
    # Threads of its own would come on top of those that the model may use.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"cutting texts for '{name}' into tokens needs the library 'tokenizers':"
            " pip install 'modelport[text]'"
        ) from error
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise unfit(name, f"'{meaning.tokenizer}' is no tokenizer's file: {error}") from error


def _lengths(name: str, meaning: Text, ids: TensorSpec, tokenizer: Any) -> tuple[int, int | None]:
    """The most tokens of a text, and what all are padded to; None is the longest of a request."""
    fixed = ids.shape[-1]
    said = (tokenizer.truncation or {}).get("max_length")
    limit = meaning.max_tokens or fixed or said or _USUAL_LENGTH
    if limit < 1 or (fixed is not None and limit > fixed):
        raise unfit(name, f"max_tokens is {limit}, and the tensor has room for {fixed}")
    return limit, fixed or (limit if meaning.padding == "max_tokens" else None)


@dataclass(frozen=True)
class _Padding:
    """What rows are filled up with."""

    left: bool
    values: Mapping[str, int]


def _set_up(tokenizer: Any, limit: int | None) -> _Padding:
    """Have the tokenizer cut texts; how they are filled up, which it is not left to do itself.

    It would make a list of every token of padding, however many texts there are.
    """
    if limit is None:
        tokenizer.no_truncation()
    else:
        known = dict(tokenizer.truncation or {})
        tokenizer.enable_truncation(**known | {"max_length": limit})
    said = tokenizer.padding or {}
    tokenizer.no_padding()
    own = (tokenizer.token_to_id(token) for token in _PADDINGS)
    token = said.get("pad_id", next((at for at in own if at is not None), 0))
    values = {"ids": token, "attention_mask": 0, "type_ids": said.get("pad_type_id", 0)}
    return _Padding(said.get("direction") == "left", values)


def _parts(texts: list[str]) -> Iterator[list[str]]:
    """The texts in parts that take a moment each."""
    part: list[str] = []
    size = 0
    for text in texts:
        part.append(text)
        size += len(text) + 64
        if size > _PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def _check_size(name: str, texts: list[str], length: int) -> None:
    if len(texts) > _MOST:
        raise InvalidInput(
            f"'{name}' has {len(texts)} texts; at most {_MOST} are taken in one request",
            tensor=name,
        )
    characters, tokens = sum(map(len, texts)), len(texts) * length
    if characters > _LONGEST or tokens > _LONGEST:
        what = f"{characters} characters" if characters > _LONGEST else f"{tokens} tokens"
        raise InvalidInput(
            f"the texts of '{name}' have {what}, filled up to the same length; at most {_LONGEST}"
            " are taken in one request",
            tensor=name,
        )


def _check_length(name: str, at: int, tokens: int, limit: int) -> None:
    if not tokens:
        raise InvalidInput(f"text {at} of '{name}' has no token in it", tensor=name, row=at)
    if tokens > limit:
        raise InvalidInput(
            f"text {at} of '{name}' has {tokens} tokens; at most {limit} are taken",
            tensor=name,
            row=at,
            expected=limit,
            got=tokens,
        )


def _padded(
    encodings: list[Any], kind: str, padding: _Padding, length: int, spec: TensorSpec
) -> Array:
    array = np.full((len(encodings), length), padding.values[kind], spec.dtype.numpy)
    for row, encoding in zip(array, encodings, strict=True):
        values = getattr(encoding, kind)
        row[length - len(values) if padding.left else 0 :][: len(values)] = values
    return array if len(spec.shape) == array.ndim else array[0]
