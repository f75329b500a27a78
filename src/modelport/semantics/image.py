"""Pictures: any file that Pillow reads safely, as the numbers that a model was trained on."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from modelport.core.errors import InvalidInput, MissingLibrary
from modelport.core.messages import Frame
from modelport.core.semantics import Field, Image
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, Batch, DType
from modelport.semantics.fields import InputField
from modelport.semantics.image_plan import Plan, plan_of
from modelport.semantics.preparation import Check, Preparation, Prepared

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["FORMATS", "image_preparation"]

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""What Pillow reads by itself: EPS and others would start programs or read other files."""

_MANY = 16
"""How many pictures of the largest size a request may hold; unpacking one takes half a second."""
_WHOLE = 8_000_000
"""Pixels that a picture may have when it is scaled, before its edges are cut off."""
_ROOM = 512 * 1024 * 1024
"""Bytes of the tensor that is made of one request's pictures."""
_MODES = {"gray": "L", "rgb": "RGB", "bgr": "RGB", "rgba": "RGBA"}
_FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
"""As Pillow numbers them."""


def image_preparation(name: str, meaning: Image, spec: TensorSpec) -> Preparation:
    """The preparation that fills a tensor from picture files.

    Args:
        name: under which a picture is given: BYTES `[rows]`, each element a file.
        meaning: how the model wants it.
        spec: the tensor, of numbers; or of BYTES, where the model reads the files itself.

    Raises:
        ConfigError: the meaning does not go with the tensor; says why.
        MissingLibrary: Pillow is not installed.
    """
    batched = spec.is_batched
    source = TensorSpec(name, DType.BYTES, (None,) if batched else (1,))
    field = InputField(
        name,
        source,
        Field(description=meaning.description),
        kind="image",
        source_of=(spec.name,),
    )
    if spec.dtype is DType.BYTES:
        return Preparation(fields=(field,), run=_as_they_are(spec), short_bytes=1 << 30)
    plan = plan_of(name, meaning, spec)
    _require_pillow(name)

    def run(inputs: Batch, check: Check) -> Prepared:
        files = inputs[name].tolist()
        left = meaning.max_pixels * (_MANY if plan.size else 1)
        rows: list[Array] = []
        frames: list[Frame] = []
        for at, data in enumerate(files):
            check()
            row, frame = _prepared(plan, data, at, len(files), left)
            _check_room(plan, row, len(files))
            rows.append(row)
            frames.append(frame)
            left -= frame.width * frame.height
        return Prepared({spec.name: _stacked(plan, rows, spec)}, {name: tuple(frames)})

    return Preparation(fields=(field,), run=run, short_bytes=0)


def _as_they_are(spec: TensorSpec) -> Callable[[Batch, Check], Prepared]:
    return lambda inputs, check: Prepared(
        {spec.name: next(iter(inputs.values())).reshape(-1, *(1 for _ in spec.shape[1:]))}
    )


def _require_pillow(name: str) -> None:
    try:
        import PIL.Image
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"reading pictures for '{name}' needs the library 'pillow':"
            " pip install 'modelport[image]'"
        ) from error
    PIL.Image.init()  # formats that are less common are known only after it


def _prepared(plan: Plan, data: bytes, at: int, rows: int, left: int) -> tuple[Array, Frame]:
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    where = f"picture {at} of '{plan.name}'" if rows > 1 else f"'{plan.name}'"
    try:
        with pillow.open(io.BytesIO(data), formats=_readable()) as file:
            _check_pixels(plan, file.size, left, where)
            _check_scans(plan, data, file, where)
            if file.mode == "F" or (file.mode == "I" and np.asarray(file).max() > 65535):
                raise InvalidInput(
                    f"{where} has values of 32 bits, of which nobody knows what is white: save it"
                    " with 8 or 16 bits",
                    tensor=plan.name,
                    row=at,
                )
            picture = _upright(file)
            return _resized(plan, _in_mode(picture, _MODES[plan.channels]), where)
    except UnidentifiedImageError as error:
        raise InvalidInput(
            f"{where} is no picture that can be read: JPEG, PNG, WebP, GIF, BMP, TIFF and the like"
            f" are, and {len(data)} bytes of something else came",
            tensor=plan.name,
            row=at,
        ) from error
    except InvalidInput:
        raise
    except pillow.DecompressionBombError as error:
        raise InvalidInput(
            f"{where} has more pixels than are taken, which is {plan.meaning.max_pixels} of a"
            " picture",
            tensor=plan.name,
            row=at,
        ) from error
    except Exception as error:  # a damaged file; the decoders fail in many ways
        raise InvalidInput(
            f"{where} is a damaged picture: {type(error).__name__}", tensor=plan.name, row=at
        ) from error


def _check_pixels(plan: Plan, size: tuple[int, int], left: int, where: str) -> None:
    width, height = size
    most = min(left, plan.meaning.max_pixels)
    if width * height > most:
        together = ", with those before it" if most < plan.meaning.max_pixels else ""
        raise InvalidInput(
            f"{where} has {width} × {height} pixels; at most {plan.meaning.max_pixels} are taken"
            f" of a picture{together}",
            tensor=plan.name,
            expected=plan.meaning.max_pixels,
            got=width * height,
        )


def _check_scans(plan: Plan, data: bytes, file: Picture, where: str) -> None:
    """A progressive JPEG is unpacked once for each of its scans, of which a few bytes make one."""
    scans = data.count(b"\xff\xda") if file.format in ("JPEG", "MPO") else 1
    if scans * file.width * file.height > _MANY * plan.meaning.max_pixels:
        raise InvalidInput(
            f"{where} has {scans} scans of {file.width} × {file.height} pixels, which would take"
            " too long to unpack: save it anew",
            tensor=plan.name,
        )


def _check_room(plan: Plan, row: Array, rows: int) -> None:
    if row.nbytes * rows > _ROOM:
        raise InvalidInput(
            f"{rows} pictures of '{plan.name}' would take {row.nbytes * rows} bytes as a tensor; at"
            f" most {_ROOM} are taken in one request",
            tensor=plan.name,
            expected=_ROOM,
            got=row.nbytes * rows,
        )


def _readable() -> tuple[str, ...]:
    """The formats that this build of Pillow has."""
    from PIL import Image as pillow

    return tuple(name for name in FORMATS if name in pillow.OPEN)


def _upright(picture: Picture) -> Picture:
    """As the camera was held: what a person sees is what the model gets."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture)


def _in_mode(picture: Picture, mode: str) -> Picture:
    if picture.mode.startswith("I"):  # 16 bits: conversion would cut values off, not scale them
        from PIL import Image as pillow

        values = np.asarray(picture, dtype=np.float64)
        picture = pillow.fromarray(np.round(values / 257).clip(0, 255).astype(np.uint8))
    return picture if picture.mode == mode else picture.convert(mode)


def _resized(plan: Plan, picture: Picture, where: str) -> tuple[Array, Frame]:
    width, height = picture.size
    if plan.size is None:
        frame = Frame(width, height, width, height, 1.0, 1.0)
        return _numbers(plan, picture), frame
    high, wide = plan.size
    rule = plan.meaning.resize
    if rule == "none":
        if (height, width) != plan.size:
            raise InvalidInput(
                f"{where} has {width} × {height} pixels; the model takes {wide} × {high}",
                tensor=plan.name,
                expected=[wide, high],
                got=[width, height],
            )
        return _numbers(plan, picture), Frame(width, height, wide, high, 1.0, 1.0)
    if rule == "stretch":
        frame = Frame(width, height, wide, high, wide / width, high / height)
        return _numbers(plan, _scaled(plan, picture, wide, high)), frame
    inner_wide, inner_high = _inner(plan, width, height, wide, high)
    left, top = _middle(wide - inner_wide), _middle(high - inner_high)
    if rule == "crop":
        picture = _cut_out(plan, picture, (inner_wide, inner_high), left, top)
    else:
        picture = _padded(plan, _scaled(plan, picture, inner_wide, inner_high), left, top)
    frame = Frame(width, height, wide, high, inner_wide / width, inner_high / height, left, top)
    return _numbers(plan, picture), frame


def _inner(plan: Plan, width: int, height: int, wide: int, high: int) -> tuple[int, int]:
    """The size that the picture is scaled to before its edges are cut off or filled up."""
    if plan.meaning.short_side is not None:
        side = plan.meaning.short_side
        # Rounded down, as torchvision's `Resize` does it.
        return (
            (side, max(side, int(side * height / width)))
            if width <= height
            else (max(side, int(side * width / height)), side)
        )
    ratios = wide / width, high / height
    if plan.meaning.resize == "crop":
        ratio = max(ratios)
        return max(wide, round(width * ratio)), max(high, round(height * ratio))
    ratio = min(ratios)
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def _middle(room: int) -> int:
    """Half of it, to the nearest even whole number at ties, as torchvision's `CenterCrop`."""
    return -round(-room / 2) if room < 0 else room // 2


def _scaled(plan: Plan, picture: Picture, width: int, height: int) -> Picture:
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), _FILTERS[plan.meaning.filter])


def _cut_out(plan: Plan, picture: Picture, inner: tuple[int, int], left: int, top: int) -> Picture:
    """The part that stays of a picture that is scaled to the inner size.

    Of a picture that is much longer than it is wide the whole would take gigabytes: there only
    that part is scaled, which may round a pixel's value the other way.
    """
    assert plan.size is not None
    high, wide = plan.size
    if inner[0] * inner[1] <= _WHOLE:
        whole = _scaled(plan, picture, *inner)
        return whole.crop((-left, -top, wide - left, high - top))
    across, down = picture.width / inner[0], picture.height / inner[1]
    box = (
        -left * across,
        -top * down,
        min((wide - left) * across, picture.width),
        min((high - top) * down, picture.height),
    )
    return picture.resize((wide, high), _FILTERS[plan.meaning.filter], box=box)


def _padded(plan: Plan, picture: Picture, left: int, top: int) -> Picture:
    from PIL import Image as pillow

    assert plan.size is not None
    fill = plan.meaning.fill
    colour = fill if plan.channels == "gray" else (fill,) * len(plan.channels)
    whole = pillow.new(picture.mode, (plan.size[1], plan.size[0]), colour)
    whole.paste(picture, (left, top))
    return whole


def _numbers(plan: Plan, picture: Picture) -> Array:
    values = np.asarray(picture)
    if plan.layout != "hw" and values.ndim == 2:
        values = values[:, :, np.newaxis]
    if plan.channels == "bgr":
        values = values[:, :, ::-1]
    if plan.dtype is not DType.UINT8:
        numbers = values.astype(np.float32) * np.float32(plan.scale)
        if plan.meaning.mean:
            numbers -= np.array(plan.meaning.mean, np.float32)
        if plan.meaning.std:
            numbers /= np.array(plan.meaning.std, np.float32)
        values = numbers.astype(plan.dtype.numpy, copy=False)
    return values.transpose(2, 0, 1) if plan.layout == "chw" else values


def _stacked(plan: Plan, arrays: list[Array], spec: TensorSpec) -> Array:
    if len({array.shape for array in arrays}) > 1:
        raise InvalidInput(
            f"the pictures of '{plan.name}' are of different sizes, and this model takes them as"
            " they are: send them one by one",
            tensor=plan.name,
        )
    stacked = np.ascontiguousarray(np.stack(arrays))
    return stacked if len(spec.shape) == stacked.ndim else stacked[0]
