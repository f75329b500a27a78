"""How outputs are stored: a head that names the tensors, then their bytes; and a seal around both.

Nothing that is read back is believed: an entry that was cut short, torn, changed, or put under
another key is none.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import TypeAlias

import msgspec
import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.tensors import Array, Batch, DType, from_raw, to_raw

__all__ = ["pack", "seal", "size_of", "unpack", "unseal"]

_MAGIC = b"mport\x00\x00\x01"
_SEAL = struct.Struct("<8sQ16s")
_LENGTH = struct.Struct("<I")
_ALIGNED = 16
"""Tensors begin at multiples of so many bytes, as numpy and its readers want them."""
_Spec: TypeAlias = tuple[str, str, tuple[int, ...], int]
"""Name, type, shape, and the number of bytes."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Spec]).decode


def size_of(batch: Batch) -> int:
    """About how many bytes `pack` makes of a batch."""
    return sum(
        sum(4 + len(value) for value in tensor.ravel().tolist() if type(value) is bytes)
        if tensor.dtype == np.object_
        else tensor.nbytes
        for tensor in batch.values()
    )


def pack(batch: Batch) -> bytes:
    """The bytes of named tensors.

    Raises:
        ValueError: a tensor of another kind than `core.tensors` has.
    """
    raws = {name: _raw(tensor) for name, tensor in batch.items()}
    specs: list[_Spec] = [
        (name, DType.of(tensor.dtype).value, tensor.shape, len(raws[name]))
        for name, tensor in batch.items()
    ]
    head = _encode(specs)
    parts = [_LENGTH.pack(len(head)), head]
    at = _LENGTH.size + len(head)
    for raw in raws.values():
        gap = -at % _ALIGNED
        parts += [bytes(gap), raw]
        at += gap + len(raw)
    return b"".join(parts)


def _raw(tensor: Array) -> bytes:
    if tensor.dtype.kind in "SU" or not tensor.dtype.isnative:
        raise ValueError(f"an output of {tensor.dtype} is not stored")
    if tensor.dtype == np.object_ and not all(type(v) is bytes for v in tensor.ravel().tolist()):
        raise ValueError("an output of other objects than bytes is not stored")
    return to_raw(tensor)


def unpack(payload: bytes | memoryview) -> Batch | None:
    """The tensors that `pack` made the payload of, read-only; None where it did not.

    Numbers share the payload's memory.
    """
    try:
        return dict(_tensors(memoryview(payload)))
    except (ValueError, OverflowError, struct.error, msgspec.DecodeError, InvalidInput):
        return None


def _tensors(payload: memoryview) -> Iterator[tuple[str, Array]]:
    (length,) = _LENGTH.unpack_from(payload)
    at = _LENGTH.size + length
    for name, dtype, shape, size in _decode(payload[_LENGTH.size : at]):
        at += -at % _ALIGNED
        if size < 0 or min(shape, default=0) < 0 or at + size > len(payload):
            raise ValueError("a tensor reaches beyond the payload")
        yield name, from_raw(name, payload[at : at + size], DType(dtype), shape)
        at += size
    if at != len(payload):
        raise ValueError("something follows the last tensor")


def seal(key: bytes, payload: bytes) -> bytes:
    """An entry for a store that others write to as well."""
    return _SEAL.pack(_MAGIC, len(payload), _proof(key, payload)) + payload


def unseal(key: bytes, entry: bytes) -> memoryview | None:
    """The payload that was sealed for this key; None where the entry is anything else."""
    if len(entry) < _SEAL.size:
        return None
    magic, length, proof = _SEAL.unpack_from(entry)
    payload = memoryview(entry)[_SEAL.size :]
    if magic != _MAGIC or length != len(payload) or proof != _proof(key, payload):
        return None
    return payload


def _proof(key: bytes, payload: bytes | memoryview) -> bytes:
    """Of the payload together with its key, so that what is moved to another key is found out."""
    proof = hashlib.sha256(key)
    proof.update(payload)
    return proof.digest()[:16]
