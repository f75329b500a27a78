"""What is done with the pictures of one tensor: decided once, from `model.toml` and its shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelport.core.semantics import Image
from modelport.core.signature import Shape, TensorSpec
from modelport.core.tensors import DType
from modelport.semantics.preparation import unfit

__all__ = ["Plan", "plan_of"]

_CHANNELS = {1: "gray", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done with each picture, with nothing left open but its size."""

    name: str
    meaning: Image
    channels: str
    layout: str
    size: tuple[int, int] | None
    """Height and width; None keeps the picture's own."""
    scale: float
    dtype: DType


def plan_of(name: str, meaning: Image, spec: TensorSpec) -> Plan:
    """The plan for a tensor that a source fills.

    Raises:
        ConfigError: the meaning does not go with the tensor; says why.
    """
    if spec.dtype is DType.BOOL or not (spec.dtype.is_float or spec.dtype is DType.UINT8):
        raise unfit(name, f"a picture is FP16, FP32, FP64 or UINT8, and it is {spec.dtype.value}")
    row = _row(name, spec)
    layout = meaning.layout or _layout(name, row)
    if len(layout) != len(row):
        raise unfit(name, f"the layout '{layout}' has {len(layout)} axes, a picture {len(row)}")
    axes: dict[str, int | None] = dict(zip(layout, row, strict=True))
    count = 1 if layout == "hw" else axes["c"]
    channels = meaning.channels or _CHANNELS.get(count or 3)
    if channels is None or count not in (None, len(channels) if channels != "gray" else 1):
        raise unfit(name, f"the tensor has {count} channels; they are gray, rgb, bgr or rgba")
    planned = Plan(
        name=name,
        meaning=meaning,
        channels=channels,
        layout=layout,
        size=_size(name, meaning, axes),
        scale=_scale(meaning, spec.dtype),
        dtype=spec.dtype,
    )
    _check(planned)
    return planned


def _row(name: str, spec: TensorSpec) -> Shape:
    if spec.is_batched or (len(spec.shape) == 4 and spec.shape[0] == 1):
        row = spec.shape[1:]
    else:
        row = spec.shape
    if len(row) not in (2, 3):
        raise unfit(name, f"a picture has 2 or 3 axes, and a row of the tensor has {len(row)}")
    return row


def _layout(name: str, row: Shape) -> str:
    if len(row) == 2:
        return "hw"
    for counts in ((1, 3), (4,)):  # four are rare
        first, last = row[0] in counts, row[2] in counts
        if first != last:
            return "chw" if first else "hwc"
    raise unfit(name, "the tensor's shape does not tell the layout: say layout = 'chw' or 'hwc'")


def _size(name: str, meaning: Image, axes: dict[str, int | None]) -> tuple[int, int] | None:
    height, width = axes["h"], axes["w"]
    if meaning.size is None:
        return None if height is None or width is None else (height, width)
    for said, own in zip(meaning.size, (height, width), strict=True):
        if said < 1 or own not in (None, said):
            raise unfit(name, f"the size is {list(meaning.size)}, the tensor's {[height, width]}")
    return meaning.size


def _scale(meaning: Image, dtype: DType) -> float:
    if meaning.scale is not None:
        return meaning.scale
    return 1 / 255 if dtype.is_float else 1.0


def _check(plan: Plan) -> None:
    meaning = plan.meaning
    count = 1 if plan.channels == "gray" else len(plan.channels)
    for key, values in (("mean", meaning.mean), ("std", meaning.std)):
        if len(values) not in (0, 1, count):
            raise unfit(plan.name, f"{key} has {len(values)} numbers for {count} channels")
    if not all(math.isfinite(v) for v in (*meaning.mean, *meaning.std, plan.scale)):
        raise unfit(plan.name, "scale, mean and std are finite numbers")
    if meaning.scale is None and plan.scale != 1 and max(meaning.mean, default=0) > 1:
        raise unfit(
            plan.name,
            f"mean holds {max(meaning.mean):g}, and values are from 0 to 1 by then, as scale is"
            " 1/255: say scale = 1.0, or divide mean and std by 255",
        )
    if 0 in meaning.std:
        raise unfit(plan.name, "std holds 0, by which nothing can be divided")
    if plan.dtype is DType.UINT8 and (meaning.mean or meaning.std or plan.scale != 1):
        raise unfit(plan.name, "a tensor of UINT8 has no room for scale, mean and std")
    if meaning.short_side is not None:
        if meaning.resize != "crop" or plan.size is None:
            raise unfit(plan.name, "short_side goes with resize = 'crop' and a size")
        if meaning.short_side < max(plan.size):
            raise unfit(plan.name, f"short_side is less than the size {list(plan.size)}")
    if not 0 <= meaning.fill <= 255:
        raise unfit(plan.name, "fill is a value from 0 to 255")
    if meaning.max_pixels < 1:
        raise unfit(plan.name, "max_pixels is at least 1")
