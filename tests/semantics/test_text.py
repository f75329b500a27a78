"""Texts as tokens: the tokenizers library's own answers, padded and cut as the model takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.semantics import Text
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.text import text_preparation

NOBODY = lambda: None  # noqa: E731


WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "good", "bad", "film", "é"]


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({w: at for at, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer().save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def signature(*names: str, shape: tuple[int | None, ...] = (None, None)) -> Signature:
    return Signature(tuple(TensorSpec(name, DType.INT64, shape) for name in names), ())


BERT = signature("input_ids", "attention_mask", "token_type_ids")


def tokens(folder: Path, own: Signature, *texts: str, **meaning: Any) -> dict[str, Array]:
    part = text_preparation("text", Text(**meaning), own, folder)
    given = bytes_tensor([text.encode() for text in texts], (len(texts),))
    return dict(part.run({"text": given}, NOBODY).inputs)


def test_texts_fill_ids_mask_and_types_padded_to_the_longest(folder: Path) -> None:
    made = tokens(folder, BERT, "good film", "bad", "é")
    assert made["input_ids"].tolist() == [[1, 4, 6, 2], [1, 5, 2, 0], [1, 7, 2, 0]]
    assert made["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0]]
    assert made["token_type_ids"].tolist() == [[0] * 4] * 3
    assert made["input_ids"].dtype == np.int64


def test_only_the_tensors_that_the_model_has_are_made(folder: Path) -> None:
    own = Signature((TensorSpec("tokens", DType.INT32, (None, None)),), ())
    made = tokens(folder, own, "good", tensor="tokens")
    assert list(made) == ["tokens"]
    assert made["tokens"].dtype == np.int32


def test_a_fixed_length_is_padded_and_cut_to(folder: Path) -> None:
    made = tokens(folder, signature("input_ids", shape=(None, 4)), "good", "good good good film")
    assert made["input_ids"].tolist() == [[1, 4, 2, 0], [1, 4, 4, 2]]


def test_max_tokens_cuts_and_padding_says_to_what_length(folder: Path) -> None:
    cut = tokens(folder, BERT, "good good good good", max_tokens=3)
    assert cut["input_ids"].tolist() == [[1, 4, 2]]
    padded = tokens(folder, BERT, "good", max_tokens=5, padding="max_tokens")
    assert padded["input_ids"].tolist() == [[1, 4, 2, 0, 0]]


def test_a_text_that_may_not_be_cut_is_refused_with_both_lengths(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="text 1 of 'text' has 5 tokens; at most 4 are taken"):
        tokens(folder, BERT, "good", "good good good", truncate=False, max_tokens=4)


def test_what_the_tokenizers_file_says_of_padding_and_cutting_holds(tmp_path: Path) -> None:
    own = tokenizer()
    own.enable_padding(direction="left", pad_id=0, pad_token="[PAD]")
    own.enable_truncation(3, direction="left")
    own.save(str(tmp_path / "tokenizer.json"))
    made = tokens(tmp_path, BERT, "good bad film", "bad")
    assert made["input_ids"].tolist() == [[1, 6, 2], [1, 5, 2]]
    made = tokens(tmp_path, BERT, "good bad film", "bad", max_tokens=5)
    assert made["input_ids"].tolist() == [[1, 4, 5, 6, 2], [0, 0, 1, 5, 2]]


def test_a_text_without_a_token_is_refused(tmp_path: Path) -> None:
    bare = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    bare.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InvalidInput, match="text 1 of 'text' has no token"):
        tokens(tmp_path, signature("input_ids"), "a", " ")


def test_a_text_of_any_length_is_not_cut_into_tokens_for_minutes(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"4000001 characters, .* at most 4000000"):
        tokens(folder, BERT, "a" * 4_000_001)


def test_many_empty_texts_are_too_many_where_each_is_filled_up(folder: Path) -> None:
    own = signature("input_ids", shape=(None, 512))
    assert tokens(folder, own, *[""] * 7000)["input_ids"].shape == (7000, 512)
    with pytest.raises(InvalidInput, match="4096000 tokens, filled up"):
        tokens(folder, own, *[""] * 8000)
    with pytest.raises(InvalidInput, match="100001 texts; at most 100000"):
        tokens(folder, BERT, *["a"] * 100_001)
    with pytest.raises(InvalidInput, match="tokens, filled up"):  # as long as the longest
        tokens(folder, BERT, "good " * 500, *["bad"] * 8000)


def test_a_model_without_rows_takes_one_text(folder: Path) -> None:
    made = tokens(folder, signature("input_ids", shape=(None,)), "good film")
    assert made["input_ids"].shape in {(4,), (1, 4)}


def test_bytes_that_are_no_text_are_refused(folder: Path) -> None:
    part = text_preparation("text", Text(), BERT, folder)
    with pytest.raises(InvalidInput, match="not UTF-8"):
        part.run({"text": bytes_tensor([b"\xff"], (1,))}, NOBODY)


@pytest.mark.parametrize(
    ("own", "meaning", "said"),
    [
        (signature("ids"), {}, "no tensor 'input_ids' for tokens; say tensor = one of ids"),
        (BERT, {"tokenizer": "other.json"}, "there is no file 'other.json' beside the model"),
        (BERT, {"tokenizer": "../tokenizer.json"}, "beside the model, or below"),
        (signature("input_ids", shape=(None, 4)), {"max_tokens": 5}, "is 5, and .* room for 4"),
        (signature("input_ids", shape=(None, 4, 4)), {}, "with 3 axes"),
        (
            Signature((TensorSpec("input_ids", DType.FP32, (None, None)),), ()),
            {},
            "INT32 or INT64 .* is FP32",
        ),
    ],
)
def test_a_meaning_that_does_not_go_with_the_model_is_refused(
    folder: Path, own: Signature, meaning: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        text_preparation("text", Text(**meaning), own, folder)


def test_a_file_that_is_no_tokenizer_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"'tokenizer.json' is no tokenizer's file"):
        text_preparation("text", Text(), BERT, tmp_path)
