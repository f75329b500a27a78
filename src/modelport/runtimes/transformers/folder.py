"""A Hugging Face folder as data: its JSON files, and what in it is refused before it is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from modelport.core.errors import CorruptModel, UnsupportedModel

__all__ = [
    "IMAGE_TYPES",
    "TEXT_TYPES",
    "Config",
    "check_folder",
    "inside",
    "read_json",
    "read_list",
]

Config: TypeAlias = Mapping[str, Any]
"""What a JSON file says."""

TEXT_TYPES = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "gpt2",
        "longformer",
        "mobilebert",
        "modernbert",
        "mpnet",
        "rembert",
        "roberta",
        "roformer",
        "xlm-roberta",
        "xlm-roberta-xl",
    }
)
IMAGE_TYPES = frozenset(
    {
        "beit",
        "convnext",
        "convnextv2",
        "deit",
        "dinov2",
        "efficientnet",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilevit",
        "poolformer",
        "pvt",
        "regnet",
        "resnet",
        "segformer",
        "swin",
        "swinv2",
        "vit",
        "vit_msn",
    }
)
"""The types of model in whose code a config can name nothing to import, read or fetch, and which
answer a text alone as among others (ConvBERT does not: its convolutions see the padding)."""

_LONGEST = 64 << 20
"""Bytes of a JSON file; a tokenizer's vocabulary is the longest."""
_CODE = frozenset({"auto_map", "custom_pipelines", "trust_remote_code"})
_FETCHED = frozenset({"backbone", "backbone_config", "use_timm_backbone", "quantization_config"})


def read_json(path: Path) -> Config:
    """An object from a JSON file.

    Raises:
        CorruptModel: it is absent, too long, or no JSON object.
    """
    found = _parsed(path)
    if not isinstance(found, dict):
        raise CorruptModel(f"'{path.name}' holds no JSON object")
    return found


def read_list(path: Path) -> list[Config]:
    """A list of objects from a JSON file; raises as `read_json`."""
    found = _parsed(path)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise CorruptModel(f"'{path.name}' holds no list of JSON objects")
    return found


def _parsed(path: Path) -> object:
    try:
        if path.stat().st_size > _LONGEST:
            raise CorruptModel(f"'{path.name}' is longer than {_LONGEST} bytes")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise CorruptModel(f"the folder has no file '{path.name}' that can be read") from error
    except (ValueError, RecursionError) as error:
        raise CorruptModel(f"'{path.name}' is not valid JSON") from error


def inside(folder: Path, name: object) -> Path:
    """A folder's own subfolder of that name.

    Raises:
        CorruptModel: it is no name, or leads out of the folder.
    """
    path = folder / name if isinstance(name, str) else None
    if path is None or not path.resolve().is_relative_to(folder.resolve()):
        raise CorruptModel(f"{name!r} is no subfolder of the model's folder")
    return path


def check_folder(folder: Path) -> Config:
    """The `config.json` of a folder that holds data only.

    Raises:
        UnsupportedModel: it has links, code of its own, parts that would be fetched, weights in
            another format than safetensors, or a type of model that was not reviewed.
        CorruptModel: a file that it needs is absent or damaged.
    """
    _check_links(folder)
    if (folder / "adapter_config.json").exists():
        raise UnsupportedModel(
            "the folder holds an adapter, whose model would be fetched: merge it into the model"
            " with peft's merge_and_unload(), then save_pretrained()"
        )
    config = read_json(folder / "config.json")
    _check_keys("config.json", config)
    if (folder / "tokenizer_config.json").exists():
        _check_keys("tokenizer_config.json", read_json(folder / "tokenizer_config.json"))
    _check_type(config)
    _check_weights(folder)
    return config


def _check_links(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise UnsupportedModel(
                f"'{path.name}' is a link, whose target the model's digest does not cover: copy"
                " the folder with 'cp -rL', as from a Hugging Face cache"
            )


def _check_keys(file: str, config: Config) -> None:
    for key, value in _keys(config):
        if key in _CODE:
            raise UnsupportedModel(
                f"'{file}' has '{key}', which names Python code: Modelport runs transformers' own"
                " models only"
            )
        fetched = key in _FETCHED or key.lstrip("_").startswith(("attn_impl", "experts_impl"))
        if fetched and value is not None and value is not False:
            raise UnsupportedModel(
                f"'{file}' has '{key}', which can fetch code or weights when it is loaded: save the"
                " model without it"
            )


def _keys(value: object) -> Iterator[tuple[str, object]]:
    """Every key of an object and of those inside of it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _check_type(config: Config) -> None:
    known = TEXT_TYPES | IMAGE_TYPES
    if config.get("model_type") not in known:
        raise UnsupportedModel(
            f"models of the type {config.get('model_type')!r} are not served; those are"
            f" {', '.join(sorted(known))}"
        )


def _check_weights(folder: Path) -> None:
    if (folder / "model.safetensors").exists():
        return
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        raise UnsupportedModel(
            "the folder has no 'model.safetensors': other files of weights can run code when they"
            " are loaded. Save it with model.save_pretrained(folder)"
        )
    for name in set(_shards(read_json(index))):
        if not inside(folder, name).is_file():
            raise CorruptModel(f"the folder lacks '{name}', which its index of weights names")


def _shards(index: Config) -> list[object]:
    files = index.get("weight_map")
    if not isinstance(files, dict) or not files:
        raise CorruptModel("'model.safetensors.index.json' has no map of weights")
    return list(files.values())
