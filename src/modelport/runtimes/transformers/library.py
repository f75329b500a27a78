"""Networks and tokenizers from a folder that was checked, without a word to the network."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import constants

from modelport.core.errors import CorruptModel, UnsupportedModel

__all__ = ["VERSIONS", "load_network", "load_tokenizer"]

VERSIONS = f"transformers {transformers.__version__}, PyTorch {torch.__version__}"
_LOCAL = {"local_files_only": True, "trust_remote_code": False}
_lock = threading.Lock()


def load_network(auto: Any, folder: Path, unused: str = "") -> Any:
    """A network in evaluation mode and float32.

    Args:
        auto: the class of transformers that builds it.
        folder: a folder that was checked.
        unused: a part of the network whose weights may be absent, because nobody asks for it.

    Raises:
        CorruptModel: weights are absent or of another shape; they would be random.
    """
    with _quiet_and_offline():
        network, info = auto.from_pretrained(
            str(folder), use_safetensors=True, output_loading_info=True, **_LOCAL
        )
    missing = [name for name in info["missing_keys"] if unused not in name.split(".")]
    wrong = sorted(map(str, [*missing, *info.get("mismatched_keys", ())]))
    if wrong:
        raise CorruptModel(
            f"'model.safetensors' lacks {len(wrong)} weights of the model, or has them in another"
            f" shape: {wrong[0]}"
        )
    return _in_memory(network.float().eval())


def _in_memory(network: Any) -> Any:
    """The network with its own copy of weights that are mapped from the file, which may change."""
    with torch.no_grad():
        for tensor in itertools.chain(network.parameters(), network.buffers()):
            tensor.data = tensor.data.clone()
    return network


def load_tokenizer(folder: Path) -> Any:
    """The folder's own fast tokenizer.

    Raises:
        UnsupportedModel: there is none, or it cannot make rows equally long.
    """
    # Its own threads would be one for each CPU, in every worker; it has no other switch.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with _quiet_and_offline():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(folder), use_fast=True, **_LOCAL
            )
        except Exception as error:
            raise CorruptModel(
                f"the folder's tokenizer could not be read ({type(error).__name__}): save it with"
                " tokenizer.save_pretrained(folder)"
            ) from error
    if not tokenizer.is_fast:
        raise UnsupportedModel("the folder's tokenizer is no fast one: it has no tokenizer.json")
    if tokenizer.pad_token_id is None:
        raise UnsupportedModel("the folder's tokenizer has no padding token: set pad_token")
    tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
    return tokenizer


@contextmanager
def _quiet_and_offline() -> Iterator[None]:
    """Keep transformers from asking the Hub anything, and from writing to the terminal."""
    log = logging.getLogger("transformers")
    with _lock:
        offline, level = constants.HF_HUB_OFFLINE, log.level
        bars = transformers.utils.logging.is_progress_bar_enabled()
        transformers.utils.logging.disable_progress_bar()
        constants.HF_HUB_OFFLINE = True
        log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = offline
            log.setLevel(level)
            if bars:
                transformers.utils.logging.enable_progress_bar()
