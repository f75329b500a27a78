"""Hugging Face folders: what is refused, and what the answers mean."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image as pillow
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

import modelport
from modelport.core.errors import CorruptModel, InvalidInput, LoadError, UnsupportedModel
from modelport.core.tensors import Array, bytes_tensor
from modelport.runtimes.base import LoadOptions, Model, load
from modelport.runtimes.formats import format_of
from modelport.runtimes.transformers.entities import Entity, entities

_WORDS = ["[PAD]", "[CLS]", "[UNK]", "a", "b", "c"]
_SMALL = {
    "vocab_size": 6,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 10,
}
Folder = Callable[..., Path]


def save_tokenizer(folder: Path, cls: bool = True, **special: str) -> None:
    words = Tokenizer(WordLevel(dict(zip(_WORDS, range(6), strict=True)), unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    if cls:
        words.post_processor = TemplateProcessing("[CLS] $A", special_tokens=[("[CLS]", 1)])
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"} | special
    kept = {key: value for key, value in named.items() if value}
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, **kept).save_pretrained(folder)


@pytest.fixture
def bert(tmp_path: Path) -> Folder:
    """Save a tiny BERT of some architecture, with its tokenizer."""

    def make(architecture: str = "BertForSequenceClassification", **config: Any) -> Path:
        torch.manual_seed(0)
        folder = tmp_path / "model"
        made = getattr(transformers, architecture)(transformers.BertConfig(**_SMALL, **config))
        made.save_pretrained(folder)
        save_tokenizer(folder)
        return folder

    return make


@pytest.fixture
def sentences(bert: Folder) -> Folder:
    """Make a sentence-transformers folder of a tiny BERT and further modules."""

    def make(*more: tuple[str, dict[str, Any]], pooling: dict[str, Any] | None = None) -> Path:
        folder = bert("BertModel")
        steps = [("Transformer", None), ("Pooling", pooling or {"pooling_mode": "mean"}), *more]
        modules = []
        for at, (kind, config) in enumerate(steps):
            place = "" if config is None else f"{at}_{kind}"
            name = f"sentence_transformers.models.{kind}"
            modules.append({"idx": at, "name": str(at), "path": place, "type": name})
            if config is not None:
                (folder / place).mkdir()
                (folder / place / "config.json").write_text(json.dumps(config))
        (folder / "modules.json").write_text(json.dumps(modules))
        return folder

    return make


def opened(folder: Path) -> Model:
    return load(folder, LoadOptions(digest="d"))


def refused(folder: Path, kind: type[LoadError], match: str) -> None:
    with pytest.raises(kind, match=match):
        opened(folder)


def change(path: Path, **values: Any) -> None:
    """Set some keys of a JSON file, which may be new."""
    said = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(said | values))


def answer(model: Model, *texts: str) -> dict[str, Array]:
    batch = {"text": bytes_tensor([text.encode() for text in texts], (len(texts),))}
    return dict(model.predict(batch))  # type: ignore[arg-type]  # not awaitable: by execution


def test_a_folder_is_told_by_its_files(bert: Folder, sentences: Folder, tmp_path: Path) -> None:
    folder = bert()
    assert format_of(folder).name == "transformers"  # type: ignore[union-attr]
    assert format_of(sentences()).name == "sentence-transformers"  # type: ignore[union-attr]
    (tmp_path / "config.json").write_text('{"name": "something else"}')
    assert format_of(tmp_path) is None


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_the_folders_own_is_refused(bert: Folder, file: str) -> None:
    folder = bert()
    change(folder / file, auto_map={"AutoModel": "own.Model"})
    (folder / "own.py").write_text("raise SystemExit")
    refused(folder, UnsupportedModel, f"'{file}' has 'auto_map', which names Python code")


@pytest.mark.parametrize(
    "key", ["_attn_implementation", "attn_implementation", "quantization_config", "backbone"]
)
def test_what_could_be_fetched_is_refused(bert: Folder, key: str) -> None:
    folder = bert()
    change(folder / "config.json", parts=[{key: "someone/something"}])
    refused(folder, UnsupportedModel, f"has '{key}', which can fetch code or weights")


def test_an_adapter_is_refused(bert: Folder) -> None:
    folder = bert()
    change(folder / "adapter_config.json", base_model_name_or_path="someone/something")
    refused(folder, UnsupportedModel, "merge it into the model")


def test_a_link_is_refused(bert: Folder) -> None:
    folder = bert()
    weights = folder / "model.safetensors"
    weights.rename(folder.parent / "blob")
    weights.symlink_to(folder.parent / "blob")
    refused(folder, UnsupportedModel, "'model.safetensors' is a link")


def test_weights_in_a_pickle_are_not_read(bert: Folder) -> None:
    folder = bert()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(folder, UnsupportedModel, "no 'model.safetensors': other files of weights can run code")


def test_a_loaded_model_does_not_change_with_its_file(bert: Folder) -> None:
    folder = bert()
    model = opened(folder)
    expected = answer(model, "a b")["probabilities"]
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.truncate(0)
    np.testing.assert_array_equal(answer(model, "a b")["probabilities"], expected)
    model.close()


def test_weights_that_are_absent_are_not_made_up(bert: Folder) -> None:
    folder = bert("BertModel")
    change(folder / "config.json", architectures=["BertForSequenceClassification"])
    refused(folder, CorruptModel, r"lacks 2 weights of the model.*: classifier\.bias")


def test_a_pooler_that_nobody_asks_for_may_be_absent(bert: Folder) -> None:
    folder = bert("BertModel")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert answer(opened(folder), "a")["embedding"].shape == (1, 8)


def test_weights_in_several_files_are_read_and_all_have_to_be_there(bert: Folder) -> None:
    folder = bert()
    expected = answer(opened(folder), "a b c")["probabilities"]
    made = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    made.save_pretrained(folder, max_shard_size="1KB")
    np.testing.assert_allclose(answer(opened(folder), "a b c")["probabilities"], expected)
    next(folder.glob("model-00002-*.safetensors")).unlink()
    refused(folder, CorruptModel, "the folder lacks 'model-00002")
    change(folder / "model.safetensors.index.json", weight_map={"x": "../../other"})
    refused(folder, CorruptModel, "is no subfolder of the model's folder")
    change(folder / "model.safetensors.index.json", weight_map={})
    refused(folder, CorruptModel, "has no map of weights")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"model_type": "own"}, "models of the type 'own' are not served; those are albert"),
        ({"model_type": None}, "models of the type None"),
        ({"architectures": ["BertForMaskedLM"]}, "'BertForMaskedLM' in config.json is not served"),
        ({"architectures": None}, "the architecture ''"),
        ({"model_type": "vit", "architectures": ["ViTModel"]}, "'ViTModel' in config.json"),
    ],
)
def test_other_models_are_refused_by_their_name(
    bert: Folder, values: dict[str, Any], match: str
) -> None:
    folder = bert()
    change(folder / "config.json", **values)
    refused(folder, UnsupportedModel, match)


@pytest.mark.parametrize(
    ("text", "match"), [('{"model_type"', "is not valid JSON"), ('["model_type"]', "no JSON obj")]
)
def test_a_damaged_config_is_corrupt(bert: Folder, text: str, match: str) -> None:
    folder = bert()
    (folder / "config.json").write_text(text)
    refused(folder, CorruptModel, match)


def test_a_folder_without_its_tokenizer_is_refused(bert: Folder) -> None:
    folder = bert()
    (folder / "tokenizer.json").write_text("{}")
    refused(folder, CorruptModel, "the folder's tokenizer could not be read")
    save_tokenizer(folder, pad_token="")
    refused(folder, UnsupportedModel, "has no padding token")


def test_a_tokenizer_that_is_too_large_for_its_model_is_refused(bert: Folder) -> None:
    folder = bert()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["more"])
    tokenizer.save_pretrained(folder)
    refused(folder, CorruptModel, "more tokens than the model has vectors for")


def test_texts_are_cut_at_what_the_model_takes(bert: Folder) -> None:
    model = opened(bert())
    assert model.description.notes == ("Texts are cut at 10 tokens.",)
    long, short = answer(model, "a " * 50, "a " * 9)["probabilities"]
    np.testing.assert_allclose(long, short, rtol=1e-6)


def test_many_rows_of_any_length_keep_their_order(bert: Folder) -> None:
    model = opened(bert())
    texts = [" ".join("abc"[at % 3] * (at % 9)) for at in range(80)]
    together = answer(model, *texts)["probabilities"]
    alone = np.concatenate([answer(model, text)["probabilities"] for text in texts])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_a_text_of_no_tokens_is_refused_where_the_tokenizer_adds_none(bert: Folder) -> None:
    folder = bert()
    save_tokenizer(folder, cls=False)
    with pytest.raises(InvalidInput, match="text 1 is empty to the model's tokenizer"):
        answer(opened(folder), "a", " ")


@pytest.mark.parametrize(
    ("config", "output", "meaning"),
    [
        ({"num_labels": 2}, "probabilities", "probabilities"),
        ({"num_labels": 1}, "probabilities", "multilabel"),
        (
            {"num_labels": 3, "problem_type": "multi_label_classification"},
            "probabilities",
            "multilabel",
        ),
        ({"num_labels": 2, "problem_type": "regression"}, "value", "value"),
    ],
)
def test_the_config_says_what_the_numbers_are(
    bert: Folder, config: dict[str, Any], output: str, meaning: str
) -> None:
    folder = bert(**config)
    model = opened(folder)
    task = transformers.pipeline("text-classification", str(folder), device="cpu")
    expected = {each["label"]: each["score"] for each in task("a b", top_k=None)}
    got = answer(model, "a b")[output][0]
    want = [expected[f"LABEL_{at}"] for at in range(config["num_labels"])]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert model.description.semantics.outputs[output].kind == meaning
    assert ("label" in answer(model, "a")) is (meaning == "probabilities")


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    """A tiny network of pictures."""
    torch.manual_seed(0)
    sizes = {key: _SMALL[key] for key in list(_SMALL)[1:5]}
    config = transformers.ViTConfig(image_size=12, patch_size=4, num_labels=2, **sizes)
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


PROCESSORS = {
    "stretched": transformers.ViTImageProcessor(size={"height": 12, "width": 12}),
    "bicubic": transformers.ViTImageProcessor(size={"height": 12, "width": 12}, resample=3),
    "cropped": transformers.BitImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 12, "width": 12}
    ),
    "convnext": transformers.ConvNextImageProcessor(size={"shortest_edge": 12}, crop_pct=0.75),
}


@pytest.mark.parametrize("name", sorted(PROCESSORS))
def test_pictures_are_prepared_as_the_folder_says(vit: Path, name: str, tmp_path: Path) -> None:
    PROCESSORS[name].save_pretrained(vit)
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = pillow.fromarray(pixels).resize((60, 40))
    expected = PROCESSORS[name](picture, return_tensors="np")["pixel_values"]
    with modelport.load(vit) as model:
        (source,) = model._loaded.view.owners
        assert (source.name, source.kind) == ("image", "image")
        out = io.BytesIO()
        picture.save(out, "PNG")
        prepared = model._loaded.prepared({"image": bytes_tensor([out.getvalue()], (1,))})
        # torchvision rounds each pixel in its own way: one step of 255, divided by the deviation.
        gap = np.abs(prepared.inputs["pixel_values"] - expected)
        assert gap.max() <= 1.01 / 255 / 0.22
        assert model.predict({"image": picture})["prediction"] in ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    "said",
    [{"do_flip_channel_order": True}, {"size": {"longest_edge": 9}}, {"image_mean": None}],
)
def test_a_rule_for_pictures_that_is_not_known_leaves_tensors_only(
    vit: Path, said: dict[str, Any]
) -> None:
    PROCESSORS["stretched"].save_pretrained(vit)
    change(vit / "preprocessor_config.json", **said)
    model = opened(vit)
    assert model.description.semantics.sources == {}
    assert "model.toml can say it" in model.description.notes[0]


def test_classes_of_one_name_are_told_by_their_numbers(bert: Folder) -> None:
    model = opened(bert(id2label={0: "same", 1: "same"}))
    assert model.description.semantics.outputs["label"].classes == ("0", "1")


def test_spans_follow_the_labels_of_tokens() -> None:
    labels = ["O", "B-X", "I-X", "Y"]
    best = [0, 1, 2, 2, 1, 0, 3, 3, 2]
    scores = np.full((9, 4), 0.1, np.float32)
    scores[range(9), best] = 0.7
    scores[2, 2] = 0.5
    offsets = np.array([(0, 0), (0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13), (0, 0)])
    special = np.array([True] + [False] * 7 + [True])
    found = entities("a b c d e f g", scores, offsets, special, labels)
    assert [(e.entity, e.start, e.end, e.text) for e in found] == [
        ("X", 0, 5, "a b c"),
        ("X", 6, 7, "d"),
        ("Y", 10, 13, "f g"),
    ]
    assert found[0].score == pytest.approx((0.7 + 0.5 + 0.7) / 3)
    assert entities("", np.zeros((1, 4)), offsets[:1], special[:1], labels) == []
    assert isinstance(found[0], Entity)


def test_a_prompt_is_put_before_each_text(sentences: Folder) -> None:
    folder = sentences()
    expected = answer(opened(folder), "a b")["embedding"]
    config = folder / "config_sentence_transformers.json"
    change(config, prompts={"query": "a "}, default_prompt_name="query")
    np.testing.assert_allclose(answer(opened(folder), "b")["embedding"], expected, rtol=1e-6)
    change(config, default_prompt_name="other")
    refused(folder, CorruptModel, "there is no prompt 'other'")


def test_the_transformers_own_settings_count(sentences: Folder) -> None:
    folder = sentences()
    change(folder / "sentence_bert_config.json", max_seq_length=3, do_lower_case=True)
    model = opened(folder)
    upper, lower = answer(model, "A B C C", "a b")["embedding"]
    np.testing.assert_allclose(upper, lower, rtol=1e-6)


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}),
        ("sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}),
        ("config_sentence_transformers.json", {"model_type": "CrossEncoder"}),
        ("1_Pooling/config.json", {"include_prompt": False}),
        ("2_Normalize/config.json", {"module_input_name": "token_embeddings"}),
    ],
)
def test_a_setting_that_is_not_known_is_refused(
    sentences: Folder, file: str, setting: dict[str, Any]
) -> None:
    folder = sentences(("Normalize", {}))
    change(folder / file, **setting)
    refused(folder, UnsupportedModel, f"the setting '{next(iter(setting))}' = ")


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "own.Transformer",
        "sentence_transformers.models.own.Transformer",
        "sentence_transformers.models.Router",
    ],
)
def test_a_module_that_is_not_known_is_never_imported(sentences: Folder, name: str) -> None:
    folder = sentences()
    (folder / "modules.json").write_text(json.dumps([{"type": name, "path": ""}]))
    refused(folder, UnsupportedModel, f"the module '{name}' in modules.json is not served")


def test_a_damaged_list_of_modules_is_corrupt(sentences: Folder) -> None:
    folder = sentences()
    (folder / "modules.json").write_text("{}")
    refused(folder, CorruptModel, "holds no list of JSON objects")
    (folder / "modules.json").write_text("[]")
    refused(folder, UnsupportedModel, "does not begin with a Transformer and a Pooling")
    module = {"type": "sentence_transformers.models.Transformer", "path": "../other"}
    (folder / "modules.json").write_text(json.dumps([module]))
    refused(folder, CorruptModel, "'../other' is no subfolder")


def test_steps_have_known_kinds_and_safe_weights(sentences: Folder) -> None:
    dense = {"in_features": 8, "out_features": 2, "activation_function": "os.system"}
    folder = sentences(("Dense", dense), ("Pooling", {}))
    refused(folder, UnsupportedModel, "the activation 'os.system' of a Dense is not one of")
    change(
        folder / "2_Dense" / "config.json", activation_function="torch.nn.modules.linear.Identity"
    )
    refused(folder, UnsupportedModel, "'2_Dense' has no 'model.safetensors'")
    save_file(
        {"linear.weight": torch.ones(2, 8), "linear.bias": torch.ones(2)},
        folder / "2_Dense" / "model.safetensors",
    )
    refused(folder, UnsupportedModel, "a second Pooling")


def test_a_pooling_that_is_not_known_is_refused(sentences: Folder) -> None:
    folder = sentences(pooling={"pooling_mode": ["mean", "own"]})
    refused(folder, UnsupportedModel, "the pooling 'own' is not one of cls, max")
