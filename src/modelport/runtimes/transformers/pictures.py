"""How a folder's `preprocessor_config.json` wants pictures, as a source that people can give.

Read are the rules that most image processors of transformers share; where a folder says anything
else the model takes tensors only, rather than pictures that are prepared nearly right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from modelport.core.semantics import Image
from modelport.runtimes.transformers.folder import Config, read_json

__all__ = ["image_source"]

_FILTERS: dict[int, Literal["nearest", "lanczos", "bilinear", "bicubic"]] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
}
_STRETCHING = frozenset({"ViTImageProcessor", "BeitImageProcessor", "DeiTImageProcessor"})
_CROPPING = frozenset(
    {"BitImageProcessor", "MobileNetV1ImageProcessor", "MobileNetV2ImageProcessor", *_STRETCHING}
)
_CONVNEXT = "ConvNextImageProcessor"
_UNKNOWN = frozenset({"do_flip_channel_order", "do_pad", "rescale_offset", "do_reduce_labels"})
_WIDE = 384
"""The side from which on ConvNeXt's processor cuts nothing off."""


def image_source(folder: Path, tensor: str) -> Image | None:
    """The source that fills the tensor of a folder's network; None where it cannot be told.

    Raises:
        CorruptModel: there is a `preprocessor_config.json`, and it is no JSON object.
    """
    if not (folder / "preprocessor_config.json").is_file():
        return None
    config = read_json(folder / "preprocessor_config.json")
    if any(config.get(key) for key in _UNKNOWN):
        return None
    resized = _resized(config)
    if resized is None:
        return None
    scale = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    normalised = config.get("do_normalize", True)
    mean = _numbers(config.get("image_mean")) if normalised else ()
    std = _numbers(config.get("image_std")) if normalised else ()
    if mean is None or std is None:
        return None
    return Image(
        tensor=tensor,
        scale=float(scale),
        mean=mean,
        std=std,
        **resized,
    )


def _resized(config: Config) -> dict[str, Any] | None:
    name = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    kind = name.removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    rule = _FILTERS.get(config.get("resample", -1))
    size = config.get("size")
    size = {"shortest_edge": size} if isinstance(size, int) and kind not in _STRETCHING else size
    size = {"height": size, "width": size} if isinstance(size, int) else size
    if rule is None or not isinstance(size, Mapping) or not config.get("do_resize", True):
        return None
    crops = config.get("do_center_crop", False)
    side = size.get("shortest_edge")
    if kind == _CONVNEXT and isinstance(side, int):
        if side >= _WIDE:
            return {"resize": "stretch", "size": (side, side), "filter": rule}
        short = int(side / config.get("crop_pct", 0.875))
        return {"resize": "crop", "short_side": short, "size": (side, side), "filter": rule}
    whole = _sides(size)
    if kind in _STRETCHING and whole is not None and not crops:
        return {"resize": "stretch", "size": whole, "filter": rule}
    cut = _sides(config.get("crop_size"))
    if kind in _CROPPING and isinstance(side, int) and crops and cut is not None:
        if side < max(cut):
            return None
        return {"resize": "crop", "short_side": side, "size": cut, "filter": rule}
    return None


def _sides(size: object) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if not isinstance(size, Mapping):
        return None
    height, width = size.get("height"), size.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _numbers(values: object) -> tuple[float, ...] | None:
    """A list of numbers; None for anything else."""
    if not isinstance(values, list) or not all(isinstance(v, int | float) for v in values):
        return None
    return tuple(values)
