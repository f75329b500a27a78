"""A sentence-transformers folder: texts to embeddings, by the steps in its `modules.json`.

The steps are a transformer, a pooling, and any number of dense layers, layer norms and
normalisations. Each is made here from its numbers and weights; a setting that is not known here
is refused, so that no answer differs from the library's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.runtimes.base import Description, LoadOptions, Model, Runtime
from modelport.runtimes.transformers.embedding import POOLINGS, Pooling, Step, embedding_head
from modelport.runtimes.transformers.folder import (
    TEXT_TYPES,
    Config,
    check_folder,
    inside,
    read_json,
    read_list,
)
from modelport.runtimes.transformers.library import VERSIONS, load_network, load_tokenizer
from modelport.runtimes.transformers.text import TEXT, TextModel, Tokens, answers, max_tokens

__all__ = ["RUNTIME"]

_OLD = "sentence_transformers.models."
_PLACES = {
    "Transformer": "sentence_transformers.base.modules.transformer.",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.",
    "Dense": "sentence_transformers.base.modules.dense.",
    "Normalize": "sentence_transformers.base.modules.normalize.",
    "LayerNorm": "sentence_transformers.sentence_transformer.modules.layer_norm.",
}
"""The modules that are known here, and where the library keeps each now; they were in `_OLD`."""
_TRANSFORMER_FILES = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
_OLD_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""In the order in which the library puts their vectors side by side."""
_ACTIVATIONS: Mapping[str, Callable[[], Step]] = {
    "torch.nn.modules.linear.Identity": torch.nn.Identity,
    "torch.nn.modules.activation.Tanh": torch.nn.Tanh,
    "torch.nn.modules.activation.ReLU": torch.nn.ReLU,
    "torch.nn.modules.activation.GELU": torch.nn.GELU,
    "torch.nn.modules.activation.SiLU": torch.nn.SiLU,
    "torch.nn.modules.activation.Sigmoid": torch.nn.Sigmoid,
}
_USUAL: Mapping[str, object] = {
    "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": "token_embeddings",
    "unpad_inputs": None,
    "model_type": "SentenceTransformer",
    "truncate_dim": None,
    "include_prompt": True,
    "use_residual": False,
}
_USUAL_STEP: Mapping[str, object] = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
}


def _load(path: Path, options: LoadOptions) -> Model:
    torch.set_num_threads(options.threads)
    modules = _modules(path)
    root = modules[0][1]
    if check_folder(root)["model_type"] not in TEXT_TYPES:
        raise UnsupportedModel("the model embeds images; those of texts are served")
    network = load_network(transformers.AutoModel, root, unused="pooler")
    tokens, limit = _tokens(path, root, network)
    chain = _chain(modules[1:])
    head = embedding_head(network, chain.poolings, chain.steps)
    size = answers(tokens, head, ["text"])["embedding"].shape[1]
    description = Description(
        runtime=VERSIONS,
        signature=Signature((TEXT,), (TensorSpec("embedding", DType.FP32, (None, size)),)),
        notes=(f"Texts are cut at {limit} tokens.",),
    )
    return TextModel(tokens, head, description)


RUNTIME = Runtime(name="sentence-transformers", load=_load)


def _modules(path: Path) -> list[tuple[str, Path]]:
    """The kind and folder of each module."""
    found = []
    for module in read_list(path / "modules.json"):
        name = str(module.get("type"))
        kind = name.rpartition(".")[2]
        if kind not in _PLACES or name not in (_OLD + kind, _PLACES[kind] + kind):
            raise UnsupportedModel(
                f"the module {name!r} in modules.json is not served; those of sentence-transformers"
                f" named {', '.join(_PLACES)} are"
            )
        _only_usual("modules.json", module, {"idx", "name", "type", "path"}, {"kwargs": []})
        found.append((kind, inside(path, module.get("path"))))
    if [kind for kind, _ in found[:2]] != ["Transformer", "Pooling"]:
        raise UnsupportedModel("modules.json does not begin with a Transformer and a Pooling")
    return found


def _tokens(path: Path, root: Path, network: Any) -> tuple[Tokens, int]:
    config = _optional(*(root / name for name in _TRANSFORMER_FILES))
    _only_usual("the transformer's config", config, {"max_seq_length", "do_lower_case"}, _USUAL)
    tokenizer = load_tokenizer(root)
    limit = config.get("max_seq_length") or max_tokens(tokenizer, network)
    tokens = Tokens(tokenizer, limit, _prompt(path), lower=bool(config.get("do_lower_case")))
    return tokens, limit


def _prompt(path: Path) -> str:
    """What the library puts before each text."""
    config = _optional(path / "config_sentence_transformers.json")
    known = {"__version__", "prompts", "default_prompt_name", "similarity_fn_name"}
    _only_usual("config_sentence_transformers.json", config, known, _USUAL)
    name = config.get("default_prompt_name")
    prompts = config.get("prompts") or {}
    if name is None:
        return ""
    if name not in prompts:
        raise CorruptModel(f"there is no prompt {name!r} in config_sentence_transformers.json")
    return str(prompts[name])


@dataclass
class _Chain:
    poolings: Sequence[Pooling]
    steps: list[Step] = field(default_factory=list)


def _chain(modules: Sequence[tuple[str, Path]]) -> _Chain:
    chain = _Chain(_poolings(read_json(modules[0][1] / "config.json")))
    for kind, folder in modules[1:]:
        if kind not in _STEPS:
            raise UnsupportedModel(f"a second {kind} in modules.json is not served")
        chain.steps.append(_STEPS[kind](folder))
    return chain


def _poolings(config: Config) -> list[Pooling]:
    sizes = {"word_embedding_dimension", "embedding_dimension"}
    _only_usual("the pooling's config", config, {*sizes, "pooling_mode", *_OLD_POOLINGS}, _USUAL)
    old = [name for key, name in _OLD_POOLINGS.items() if config.get(key)] or ["mean"]
    named = config.get("pooling_mode", old)
    names = [named] if isinstance(named, str) else list(named)
    unknown = [name for name in names if name not in POOLINGS]
    if unknown:
        raise UnsupportedModel(f"the pooling {unknown[0]!r} is not one of {', '.join(POOLINGS)}")
    return [POOLINGS[name] for name in names]


def _normalize(folder: Path) -> Step:
    _only_usual("a Normalize's config", _optional(folder / "config.json"), set(), _USUAL_STEP)
    return lambda vectors: torch.nn.functional.normalize(vectors, p=2, dim=-1)


def _dense(folder: Path) -> Step:
    config = read_json(folder / "config.json")
    known = {"in_features", "out_features", "bias", "activation_function"}
    _only_usual("a Dense's config", config, known, {**_USUAL, **_USUAL_STEP})
    name = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    if name not in _ACTIVATIONS:
        raise UnsupportedModel(
            f"the activation {name!r} of a Dense is not one of {', '.join(_ACTIVATIONS)}"
        )
    layer = torch.nn.Linear(
        config["in_features"], config["out_features"], bias=config.get("bias", True)
    )
    step: Step = torch.nn.Sequential(_filled(layer, "linear.", folder), _ACTIVATIONS[name]())
    return step


def _layer_norm(folder: Path) -> Step:
    config = read_json(folder / "config.json")
    _only_usual("a LayerNorm's config", config, {"dimension"}, {})
    step: Step = _filled(torch.nn.LayerNorm(config["dimension"]), "norm.", folder)
    return step


_STEPS: Mapping[str, Callable[[Path], Step]] = {
    "Normalize": _normalize,
    "Dense": _dense,
    "LayerNorm": _layer_norm,
}


def _filled(layer: Any, prefix: str, folder: Path) -> Any:
    """A layer with the weights of its folder."""
    file = folder / "model.safetensors"
    if not file.exists():
        raise UnsupportedModel(
            f"the folder '{folder.name}' has no 'model.safetensors': other files of weights can run"
            " code when they are loaded. Save the model again with sentence-transformers 2.3 or"
            " newer"
        )
    weights = {name.removeprefix(prefix): value for name, value in load_file(file).items()}
    layer.load_state_dict(weights)
    return layer.float().eval()


def _optional(*paths: Path) -> Config:
    """The first of some files that is there."""
    return next((read_json(path) for path in paths if path.exists()), {})


def _only_usual(what: str, config: Config, known: set[str], usual: Mapping[str, object]) -> None:
    """Refuse a setting that would change the answers in a way that is not known here."""
    for key, value in config.items():
        if key not in known and (key not in usual or value not in (usual[key], None)):
            raise UnsupportedModel(f"the setting '{key}' = {value!r} in {what} is not supported")
