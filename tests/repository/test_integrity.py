"""Digests name a file's content."""

from __future__ import annotations

from pathlib import Path

from modelport.repository.integrity import digest


def test_the_digest_is_the_sha_256_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_one_changed_byte_changes_the_digest(tmp_path: Path) -> None:
    one, other = tmp_path / "1", tmp_path / "2"
    one.write_bytes(bytes(100_000))
    other.write_bytes(bytes(99_999) + b"\x01")
    assert digest(one) != digest(other)
