"""Recordings as numbers: rates, sample formats, channels, lengths."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.semantics import Audio
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.audio import _ratio, audio_preparation

NOBODY = lambda: None  # noqa: E731


FREE = TensorSpec("wave", DType.FP32, (None, None))


def wav(values: Array, rate: int = 16_000) -> bytes:
    out = io.BytesIO()
    wavfile.write(out, rate, values)
    return out.getvalue()


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> Array:
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate) * 0.5


def samples(tensor: TensorSpec, *files: bytes, **meaning: Any) -> Array:
    part = audio_preparation("sound", Audio(tensor="wave", **meaning), tensor)
    return part.run({"sound": bytes_tensor(files, (len(files),))}, NOBODY).inputs["wave"]


@pytest.mark.parametrize(
    ("stored", "tolerance"),
    [
        (lambda x: (x * 32768).astype(np.int16), 1 / 32768),
        (lambda x: (x * 2**31).astype(np.int32), 1e-6),
        (lambda x: np.round(x * 128 + 128).astype(np.uint8), 1 / 128),
        (lambda x: x.astype(np.float32), 1e-7),
    ],
)
def test_every_sample_format_is_from_minus_one_to_one(stored: Any, tolerance: float) -> None:
    wave = tone(16_000)
    made = samples(FREE, wav(stored(wave)))
    assert made.dtype == np.float32
    assert made.shape == (1, len(wave))
    assert np.abs(made[0] - wave).max() <= tolerance


def test_24_bits() -> None:
    wave = tone(16_000)
    data = (wave * 2**23).astype(np.int32)
    raw = b"".join(int(v).to_bytes(3, "little", signed=True) for v in data)
    head = wav(np.zeros(len(raw) // 2, np.int16))[:44]
    form = bytearray(head)
    form[28:32] = (16_000 * 3).to_bytes(4, "little")
    form[32:36] = (3).to_bytes(2, "little") + (24).to_bytes(2, "little")
    made = samples(FREE, bytes(form) + raw)
    assert np.abs(made[0] - wave).max() <= 2 / 2**23


def test_another_rate_is_resampled() -> None:
    made = samples(FREE, wav(tone(44_100).astype(np.float32), 44_100))
    expected = tone(16_000)
    assert made.shape == (1, len(expected))
    middle = slice(500, -500)  # the filter's ends ring
    assert np.abs(made[0, middle] - expected[middle]).max() < 2e-3


@pytest.mark.parametrize("rate", [191_999, 44_101, 1_001])
def test_a_rate_of_any_kind_costs_no_long_filter(rate: int) -> None:
    up, down = _ratio(16_000, rate)
    assert max(up, down) <= 1500
    assert up / down == pytest.approx(16_000 / rate, rel=1e-5)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000])
def test_the_rates_that_recordings_have_are_met_exactly(rate: int) -> None:
    for wanted in (8_000, 16_000, 22_050, 44_100, 48_000):
        up, down = _ratio(wanted, rate)
        assert up * rate == down * wanted


def test_channels_are_mixed() -> None:
    left, right = tone(16_000), -tone(16_000)
    made = samples(FREE, wav(np.stack([left, right], axis=1).astype(np.float32)))
    assert np.abs(made).max() < 1e-6


def test_rows_are_filled_up_with_silence() -> None:
    made = samples(FREE, wav(np.ones(5, np.float32)), wav(np.ones(3, np.float32)))
    assert made.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("shape", "made"),
    [((None, 1, None), (1, 1, 3)), ((4,), (4,)), ((1, 4), (1, 4)), ((None, 4), (1, 4))],
)
def test_the_axes_are_those_of_the_tensor(
    shape: tuple[int | None, ...], made: tuple[int, ...]
) -> None:
    tensor = TensorSpec("wave", DType.FP32, shape)
    assert samples(tensor, wav(np.ones(3, np.float32))).shape == made


def test_a_recording_that_is_too_long_is_refused_with_its_length() -> None:
    second = wav(np.zeros(16_000, np.int16))
    with pytest.raises(InvalidInput, match=r"takes 1.0 s; at most 0.5 s"):
        samples(FREE, second, max_s=0.5)
    with pytest.raises(InvalidInput, match=r"recording 1 .* at most 1.5 s are taken in one"):
        samples(FREE, second, second, max_s=1.5)
    with pytest.raises(InvalidInput, match="16000 samples at the model's rate; the model takes 4"):
        samples(TensorSpec("wave", DType.FP32, (None, 4)), second)


@pytest.mark.parametrize("data", [b"", b"hello", wav(np.zeros(9, np.int16))[:30]])
def test_what_is_no_wav_is_told(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="recording 0 of 'sound' is no WAV file"):
        samples(FREE, data)


def test_a_rate_that_no_recording_has_is_refused() -> None:
    with pytest.raises(InvalidInput, match="9 samples at 999999 in a second"):
        samples(FREE, wav(np.zeros(9, np.int16), 999_999))


@pytest.mark.parametrize(
    ("tensor", "meaning", "said"),
    [
        (TensorSpec("wave", DType.INT16, (None, None)), {}, "FP16, FP32 or FP64"),
        (TensorSpec("wave", DType.FP32, (None, 2, None)), {}, "along the last axis"),
        (FREE, {"rate": 10}, "rate is from"),
        (FREE, {"max_s": 0.0}, "max_s is a number of seconds above 0"),
    ],
)
def test_a_meaning_that_does_not_go_with_the_tensor_is_refused(
    tensor: TensorSpec, meaning: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        audio_preparation("sound", Audio(tensor="wave", **meaning), tensor)
