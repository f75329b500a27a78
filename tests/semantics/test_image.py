"""Pictures as tensors: what arrives at the model, number by number."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from modelport.core.errors import ConfigError, DeadlineExceeded, InvalidInput
from modelport.core.messages import Frame
from modelport.core.semantics import Image
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.image import image_preparation
from modelport.semantics.preparation import Prepared

NOBODY = lambda: None  # noqa: E731


CHW = TensorSpec("x", DType.FP32, (None, 3, 4, 6))


def spec(dtype: DType, *shape: int | None) -> TensorSpec:
    return TensorSpec("x", dtype, shape)


def file_of(pixels: Array, kind: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    pillow.fromarray(pixels).save(out, kind, **more)
    return out.getvalue()


def random_pixels(height: int, width: int, channels: int = 3, seed: int = 1) -> Array:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def prepared(tensor: TensorSpec, *files: bytes, **meaning: Any) -> Prepared:
    part = image_preparation("photo", Image(tensor="x", **meaning), tensor)
    return part.run({"photo": bytes_tensor(files, (len(files),))}, NOBODY)


def array_of(tensor: TensorSpec, *files: bytes, **meaning: Any) -> Array:
    return prepared(tensor, *files, **meaning).inputs["x"]


# -- numbers


def test_a_picture_of_the_right_size_is_scaled_to_one_and_laid_out_as_the_tensor() -> None:
    pixels = random_pixels(4, 6)
    made = array_of(CHW, file_of(pixels))
    assert made.dtype == np.float32
    assert np.allclose(made[0], pixels.transpose(2, 0, 1) / 255, atol=1e-7)


def test_mean_and_deviation_come_after_the_scale() -> None:
    pixels = random_pixels(4, 6)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    made = array_of(CHW, file_of(pixels), mean=mean, std=std)
    expected = (pixels / 255 - np.array(mean)) / np.array(std)
    assert np.allclose(made[0], expected.transpose(2, 0, 1), atol=1e-5)


def test_one_mean_holds_for_all_channels_and_a_scale_of_one_keeps_the_values() -> None:
    pixels = random_pixels(4, 6)
    made = array_of(CHW, file_of(pixels), mean=(127.5,), std=(127.5,), scale=1.0)
    assert np.allclose(made[0], (pixels.transpose(2, 0, 1) - 127.5) / 127.5, atol=1e-6)


def test_channels_last_and_bgr() -> None:
    pixels = random_pixels(4, 6)
    made = array_of(spec(DType.FP32, None, 4, 6, 3), file_of(pixels), channels="bgr")
    assert np.allclose(made[0], pixels[:, :, ::-1] / 255)


def test_bytes_are_left_as_they_are() -> None:
    pixels = random_pixels(4, 6)
    made = array_of(spec(DType.UINT8, None, 4, 6, 3), file_of(pixels))
    assert made.dtype == np.uint8
    assert (made[0] == pixels).all()


def test_a_grey_tensor_takes_the_brightness_of_a_picture_in_colour() -> None:
    pixels = random_pixels(4, 6)
    expected = np.asarray(pillow.fromarray(pixels).convert("L"))
    for tensor in (spec(DType.FP32, None, 1, 4, 6), spec(DType.FP32, None, 4, 6)):
        made = array_of(tensor, file_of(pixels))
        assert np.allclose(made.reshape(4, 6), expected / 255)


def test_a_grey_picture_fills_three_channels() -> None:
    pixels = random_pixels(4, 6, channels=1)
    made = array_of(CHW, file_of(pixels))
    assert np.allclose(made[0], np.stack([pixels / 255] * 3))


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    pixels = (np.arange(24, dtype=np.uint16).reshape(4, 6) * 2800).astype(np.uint16)
    made = array_of(spec(DType.FP32, None, 1, 4, 6), file_of(pixels))
    assert np.allclose(made[0, 0], pixels / 65535, atol=1 / 255)


def test_values_of_unknown_meaning_are_refused() -> None:
    out = io.BytesIO()
    pillow.fromarray(np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)).save(out, "TIFF")
    with pytest.raises(InvalidInput, match="values of 32 bits"):
        array_of(CHW, out.getvalue())


def test_the_transparent_and_the_palette_become_colours() -> None:
    pixels = random_pixels(4, 6, channels=4)
    assert np.allclose(array_of(CHW, file_of(pixels))[0], pixels[..., :3].transpose(2, 0, 1) / 255)
    out = io.BytesIO()
    pillow.fromarray(np.zeros((4, 6, 3), np.uint8) + 200).quantize(2).save(out, "GIF")
    assert np.allclose(array_of(CHW, out.getvalue()), 200 / 255)


def test_a_picture_is_turned_as_its_camera_was_held() -> None:
    pixels = random_pixels(6, 4)  # stored on its side
    turned = pillow.Exif()
    turned[0x0112] = 6  # rotate by a quarter to show it
    made = array_of(CHW, file_of(pixels, exif=turned))
    assert np.allclose(made[0], np.rot90(pixels, -1).transpose(2, 0, 1) / 255)


def test_many_pictures_are_many_rows() -> None:
    first, second = random_pixels(4, 6, seed=1), random_pixels(4, 6, seed=2)
    made = array_of(CHW, file_of(first), file_of(second, "BMP"))
    assert made.shape == (2, 3, 4, 6)
    assert np.allclose(made[1], second.transpose(2, 0, 1) / 255)


@pytest.mark.parametrize("shape", [(1, 3, 4, 6), (3, 4, 6)])
def test_a_model_that_is_not_batched_gets_its_own_shape(shape: tuple[int, ...]) -> None:
    pixels = random_pixels(4, 6)
    made = array_of(TensorSpec("x", DType.FP32, shape), file_of(pixels))
    assert made.shape == shape
    assert np.allclose(made.reshape(3, 4, 6), pixels.transpose(2, 0, 1) / 255)


def test_a_model_that_reads_files_itself_gets_them() -> None:
    tensor = spec(DType.BYTES, None, 1)
    assert array_of(tensor, b"one", b"two").tolist() == [[b"one"], [b"two"]]


# -- sizes


def test_stretch_scales_both_sides() -> None:
    pixels = random_pixels(9, 12)
    picture = pillow.fromarray(pixels)
    for name, number in (("bilinear", 2), ("bicubic", 3), ("nearest", 0), ("lanczos", 1)):
        made = prepared(CHW, file_of(pixels), filter=name)
        expected = np.asarray(picture.resize((6, 4), number)).transpose(2, 0, 1) / 255
        assert np.allclose(made.inputs["x"][0], expected)
        assert made.frames["photo"] == (Frame(12, 9, 6, 4, 6 / 12, 4 / 9),)


def test_crop_scales_the_shorter_side_and_cuts_out_the_middle() -> None:
    pixels = random_pixels(20, 10)
    tensor = spec(DType.FP32, None, 3, 4, 4)
    made = prepared(tensor, file_of(pixels), resize="crop", short_side=5)
    picture = pillow.fromarray(pixels).resize((5, 10), 2).crop((0, 3, 4, 7))
    assert np.allclose(made.inputs["x"][0], np.asarray(picture).transpose(2, 0, 1) / 255)
    assert made.frames["photo"] == (Frame(10, 20, 4, 4, 0.5, 0.5, 0, -3),)


def test_crop_without_a_side_cuts_off_no_more_than_it_must() -> None:
    made = prepared(CHW, file_of(random_pixels(8, 8)), resize="crop")
    assert made.frames["photo"] == (Frame(8, 8, 6, 4, 6 / 8, 6 / 8, 0, -1),)


def test_pad_keeps_the_whole_picture_and_fills_the_rest() -> None:
    pixels = np.full((8, 4, 3), 200, np.uint8)
    made = prepared(CHW, file_of(pixels), resize="pad", fill=114)
    x = made.inputs["x"][0]
    assert np.allclose(x[:, :, 2:4], 200 / 255)
    assert np.allclose(np.delete(x, [2, 3], axis=2), 114 / 255)
    assert made.frames["photo"] == (Frame(4, 8, 6, 4, 0.5, 0.5, 2, 0),)


def test_none_takes_one_size_only() -> None:
    with pytest.raises(InvalidInput, match="6 × 5 pixels; the model takes 6 × 4"):
        array_of(CHW, file_of(random_pixels(5, 6)), resize="none")
    assert array_of(CHW, file_of(random_pixels(4, 6)), resize="none").shape == (1, 3, 4, 6)


def test_free_sides_keep_the_size_of_the_picture() -> None:
    tensor = spec(DType.FP32, None, 3, None, None)
    assert array_of(tensor, file_of(random_pixels(5, 7))).shape == (1, 3, 5, 7)
    assert array_of(tensor, file_of(random_pixels(5, 7)), size=(2, 3)).shape == (1, 3, 2, 3)
    with pytest.raises(InvalidInput, match="different sizes"):
        array_of(tensor, file_of(random_pixels(5, 7)), file_of(random_pixels(6, 7)))


def test_a_very_long_picture_keeps_a_pixel_of_its_short_side() -> None:
    made = prepared(CHW, file_of(random_pixels(1, 900)), resize="pad")
    assert made.inputs["x"].shape == (1, 3, 4, 6)
    assert prepared(CHW, file_of(random_pixels(1, 900)), resize="crop").inputs["x"].shape[-1] == 6


# -- what is refused


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked() -> None:
    bomb = file_of(np.zeros((3000, 3000), np.uint8))  # a few kilobytes
    with pytest.raises(InvalidInput, match="3000 × 3000 pixels; at most 1000000 are taken"):
        array_of(CHW, bomb, max_pixels=1_000_000)


def test_of_a_very_long_picture_only_the_middle_is_scaled() -> None:
    line = np.zeros((1, 20_000, 3), np.uint8)
    line[:, 9_000:11_000] = 200
    tensor = spec(DType.FP32, None, 3, 64, 64)
    tracemalloc.start()
    made = array_of(tensor, file_of(line), resize="crop")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.allclose(made, 200 / 255)
    assert peak < 10**7


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    whole = file_of(random_pixels(40, 60), "JPEG", progressive=True)
    assert array_of(CHW, whole).shape == (1, 3, 4, 6)
    with pytest.raises(InvalidInput, match="500 scans"):
        array_of(CHW, whole + b"\xff\xda" * 490, max_pixels=2400)


def test_rows_are_bounded_by_what_their_tensor_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    small = file_of(random_pixels(1, 1))
    tensor = spec(DType.FP32, None, 3, 2000, 2000)
    with pytest.raises(InvalidInput, match="12 pictures of 'photo' would take 576000000 bytes"):
        array_of(tensor, *[small] * 12)


def test_nothing_more_is_unpacked_when_nobody_waits() -> None:
    def gone() -> None:
        raise DeadlineExceeded("late")

    part = image_preparation("photo", Image(tensor="x"), CHW)
    with pytest.raises(DeadlineExceeded):
        part.run({"photo": bytes_tensor([b"no picture"], (1,))}, gone)


def test_many_large_pictures_are_too_many() -> None:
    large = file_of(np.zeros((10, 10), np.uint8))
    assert array_of(CHW, *[large] * 16, max_pixels=100).shape[0] == 16
    with pytest.raises(InvalidInput, match=r"picture 16 of .* of a picture, with those before it"):
        array_of(CHW, *[large] * 17, max_pixels=100)
    free = spec(DType.FP32, None, 1, None, None)
    with pytest.raises(InvalidInput, match=r"picture 1 of .* with those before it"):
        array_of(free, large, large, max_pixels=150)


@pytest.mark.parametrize("data", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_picture_is_told(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="'photo' is no picture that can be read") as told:
        array_of(CHW, data)
    assert told.value.detail["tensor"] == "photo"


def test_a_damaged_picture_is_told_by_its_place() -> None:
    whole = file_of(random_pixels(40, 60))
    with pytest.raises(InvalidInput, match="picture 1 of 'photo' is a damaged picture"):
        array_of(CHW, whole, whole[: len(whole) // 2])


def test_postscript_is_never_run() -> None:
    eps = io.BytesIO()
    pillow.fromarray(random_pixels(4, 6)).save(eps, "EPS")
    with pytest.raises(InvalidInput, match="no picture that can be read"):
        array_of(CHW, eps.getvalue())


@pytest.mark.parametrize(
    ("tensor", "meaning", "said"),
    [
        (spec(DType.INT64, None, 3, 4, 6), {}, "FP16, FP32, FP64 or UINT8, and it is INT64"),
        (spec(DType.FP32, None, 3), {}, "2 or 3 axes, and a row of the tensor has 1"),
        (spec(DType.FP32, None, None, None, None), {}, "say layout = 'chw' or 'hwc'"),
        (spec(DType.FP32, None, 3, 4, 3), {}, "say layout = 'chw' or 'hwc'"),
        (spec(DType.FP32, None, 2, 4, 6), {"layout": "chw"}, "has 2 channels"),
        (CHW, {"channels": "gray"}, "has 3 channels"),
        (CHW, {"size": (4, 7)}, r"the size is \[4, 7\], the tensor's \[4, 6\]"),
        (CHW, {"mean": (1.0, 2.0)}, "mean has 2 numbers for 3 channels"),
        (CHW, {"std": (0.0,)}, "std holds 0"),
        (CHW, {"short_side": 8}, "short_side goes with resize = 'crop'"),
        (CHW, {"short_side": 3, "resize": "crop"}, "less than the size"),
        (CHW, {"fill": 256}, "fill is a value from 0 to 255"),
        (CHW, {"max_pixels": 0}, "max_pixels is at least 1"),
        (CHW, {"scale": float("inf")}, "finite"),
        (CHW, {"mean": (123.675, 116.28, 103.53)}, "mean holds 123.675, .* say scale = 1.0, or"),
        (CHW, {"layout": "hw"}, "the layout 'hw' has 2 axes, a picture 3"),
        (spec(DType.UINT8, None, 4, 6, 3), {"mean": (1.0,)}, "UINT8 has no room"),
    ],
)
def test_a_meaning_that_does_not_go_with_the_tensor_is_refused(
    tensor: TensorSpec, meaning: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as told:
        image_preparation("photo", Image(tensor="x", **meaning), tensor)
    assert told.value.message.startswith("model.toml, [inputs.photo]: ")
