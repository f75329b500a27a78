"""Texts: cut into tokens by the tokenizer that lies beside the model."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from modelport.core.errors import InvalidInput, MissingLibrary
from modelport.core.semantics import Field, Text
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, Batch, DType, decode_text
from modelport.semantics.fields import InputField
from modelport.semantics.preparation import LONG, Preparation, Prepared, unfit

__all__ = ["text_preparation"]

_USUAL_LENGTH = 512
_LONGEST = 4_000_000
"""Characters of one request; cutting so many into tokens takes seconds and a gigabyte."""
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
    _set_up(tokenizer, limit if meaning.truncate else None, length)
    source = TensorSpec(name, DType.BYTES, (None,) if ids.is_batched else (1,))
    field = InputField(
        name,
        source,
        Field(description=meaning.description),
        kind="text",
        source_of=tuple(specs),
    )

    def run(inputs: Batch) -> Prepared:
        texts = decode_text(name, inputs[name]).tolist()
        if sum(map(len, texts)) > _LONGEST:
            raise InvalidInput(
                f"the texts of '{name}' have {sum(map(len, texts))} characters; at most {_LONGEST}"
                " are taken in one request",
                tensor=name,
            )
        encodings = tokenizer.encode_batch(texts)
        for at, encoding in enumerate(encodings):
            _check_length(name, at, sum(encoding.attention_mask), limit)
        parts = {meaning.tensor: "ids", meaning.mask: "attention_mask", meaning.types: "type_ids"}
        made = {
            tensor: _stacked([getattr(e, parts[tensor]) for e in encodings], spec)
            for tensor, spec in specs.items()
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
            ' pip install "modelport[text]"'
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


def _set_up(tokenizer: Any, limit: int | None, length: int | None) -> None:
    padding = dict(tokenizer.padding or _padding(tokenizer))
    padding |= {"length": length, "pad_to_multiple_of": None}
    tokenizer.enable_padding(**padding)
    if limit is None:
        tokenizer.no_truncation()
    else:
        known = dict(tokenizer.truncation or {})
        tokenizer.enable_truncation(**known | {"max_length": limit})


def _padding(tokenizer: Any) -> dict[str, Any]:
    for token in _PADDINGS:
        at = tokenizer.token_to_id(token)
        if at is not None:
            return {"pad_id": at, "pad_token": token}
    return {}


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


def _stacked(rows: list[list[int]], spec: TensorSpec) -> Array:
    array = np.array(rows, spec.dtype.numpy)
    return array if len(spec.shape) == array.ndim else array[0]
