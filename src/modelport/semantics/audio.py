"""Recordings: WAV files as one channel of numbers from -1 to 1, at the model's rate."""

from __future__ import annotations

import io
import math
import warnings
from fractions import Fraction

import numpy as np

from modelport.core.errors import InvalidInput, MissingLibrary
from modelport.core.semantics import Audio, Field
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, Batch, DType
from modelport.semantics.fields import InputField
from modelport.semantics.preparation import Check, Preparation, Prepared, unfit

__all__ = ["audio_preparation"]

_RATES = 1_000, 192_000
"""Samples in a second that a file may have."""
_FINENESS = 1_500


def audio_preparation(name: str, meaning: Audio, spec: TensorSpec) -> Preparation:
    """The preparation that fills a tensor from WAV files.

    Args:
        name: under which a recording is given: BYTES `[rows]`, each element a file.
        meaning: the rate that the model takes, and the longest recording.
        spec: the tensor, of FP16, FP32 or FP64 `[rows, samples]`, `[rows, 1, samples]` or
            `[samples]`.

    Raises:
        ConfigError: the meaning does not go with the tensor; says why.
        MissingLibrary: scipy, which reads and resamples, is not installed.
    """
    if not spec.dtype.is_float or not spec.row_shape or any(n != 1 for n in spec.row_shape[:-1]):
        raise unfit(name, "a recording is FP16, FP32 or FP64 with samples along the last axis")
    if not _RATES[0] <= meaning.rate <= _RATES[1]:
        raise unfit(name, f"rate is from {_RATES[0]} to {_RATES[1]} samples in a second")
    if not 0 < meaning.max_s < math.inf:
        raise unfit(name, "max_s is a number of seconds above 0")
    _require_scipy(name)
    field = InputField(
        name,
        TensorSpec(name, DType.BYTES, (None,) if spec.is_batched else (1,)),
        Field(description=meaning.description),
        kind="audio",
        source_of=(spec.name,),
    )

    def run(inputs: Batch, check: Check) -> Prepared:
        files = inputs[name].tolist()
        left, waves = meaning.max_s, []
        for at, data in enumerate(files):
            check()
            waves.append(_samples(name, meaning, data, at, left).astype(spec.dtype.numpy))
            left -= len(waves[-1]) / meaning.rate
        return Prepared({spec.name: _stacked(name, waves, spec)})

    return Preparation(fields=(field,), run=run, short_bytes=0)


def _require_scipy(name: str) -> None:
    try:
        import scipy.io.wavfile
        import scipy.signal  # noqa: F401  # takes a while, and nobody's request should wait for it
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"reading recordings for '{name}' needs the library 'scipy':"
            " pip install 'modelport[audio]'"
        ) from error


def _samples(name: str, meaning: Audio, data: bytes, at: int, most_s: float) -> Array:
    """One channel of a file of at most `most_s`, at the rate of the model, in double precision."""
    from scipy.io import wavfile
    from scipy.signal import resample_poly

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of chunks that hold no sound
            rate, values = wavfile.read(io.BytesIO(data))
    except Exception as error:  # the reader fails in many ways
        raise InvalidInput(
            f"recording {at} of '{name}' is no WAV file that can be read; {len(data)} bytes of"
            " something else came",
            tensor=name,
            row=at,
        ) from error
    if not _RATES[0] <= rate <= _RATES[1] or not values.size:
        raise InvalidInput(
            f"recording {at} of '{name}' has {values.size} samples at {rate} in a second; rates are"
            f" from {_RATES[0]} to {_RATES[1]}",
            tensor=name,
            row=at,
        )
    seconds = len(values) / rate
    if seconds > most_s + 0.01:  # the ones before may have been rounded up
        raise InvalidInput(
            f"recording {at} of '{name}' takes {seconds:.1f} s; at most {meaning.max_s:g} s are"
            " taken in one request",
            tensor=name,
            row=at,
            expected=meaning.max_s,
            got=seconds,
        )
    wave = _unit(values)
    wave = wave if wave.ndim == 1 else wave.mean(axis=1)
    if rate != meaning.rate:
        wave = resample_poly(wave, *_ratio(meaning.rate, rate))
    return np.asarray(wave)


def _ratio(wanted: int, given: int) -> tuple[int, int]:
    """How many samples are made of how many: small numbers, as the filter grows with them.

    The rates that recordings have are met exactly, any other to a millionth.
    """
    if wanted > given:
        fewer = Fraction(given, wanted).limit_denominator(_FINENESS)
        return fewer.denominator, max(1, fewer.numerator)
    fewer = Fraction(wanted, given).limit_denominator(_FINENESS)
    return max(1, fewer.numerator), fewer.denominator


def _unit(values: Array) -> Array:
    """Samples from -1 to 1, whatever they were stored as."""
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    if values.dtype.kind == "u":  # 8 bits, whose silence is 128
        return (values.astype(np.float64) - 128) / 128
    return values.astype(np.float64) / 2.0 ** (8 * values.dtype.itemsize - 1)


def _stacked(name: str, waves: list[Array], spec: TensorSpec) -> Array:
    fixed = spec.shape[-1]
    longest = max(map(len, waves))
    if fixed is not None and longest > fixed:
        raise InvalidInput(
            f"a recording of '{name}' has {longest} samples at the model's rate; the model takes"
            f" {fixed}",
            tensor=name,
            expected=fixed,
            got=longest,
        )
    stacked = np.zeros((len(waves), fixed or longest), spec.dtype.numpy)
    for row, wave in zip(stacked, waves, strict=True):
        row[: len(wave)] = wave
    if not spec.is_batched:
        return stacked.reshape((*(1 for _ in spec.shape[:-1]), stacked.shape[-1]))
    return stacked.reshape((len(waves), *(1 for _ in spec.shape[1:-1]), stacked.shape[-1]))
