"""Digests name the content of a file or a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from modelport.core.errors import ConfigError
from modelport.repository.integrity import digest, size_bytes, trusted_digests


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


def test_a_folders_digest_is_that_of_what_sha256sum_prints(tmp_path: Path) -> None:
    for name in ("b/x.bin", "a.json", "b/a.bin"):
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "model" / "link").symlink_to("a.json")
    listing = subprocess.run(
        ["sh", "-c", "find . -type f | LC_ALL=C sort | sed s:^./:: | xargs sha256sum | sha256sum"],
        cwd=tmp_path / "model",
        capture_output=True,
        text=True,
        check=True,
    )
    assert digest(tmp_path / "model") == listing.stdout.split()[0]
    assert size_bytes(tmp_path / "model") == len("b/x.bina.jsonb/a.bin")
    (tmp_path / "model" / "a.json").write_text("other")
    assert digest(tmp_path / "model") != listing.stdout.split()[0]


def test_digests_are_trusted_in_any_case_with_or_without_their_prefix() -> None:
    given = ["sha256:" + "AB" * 32, "cd" * 32]
    assert trusted_digests(given) == {"ab" * 32, "cd" * 32}


@pytest.mark.parametrize("text", ["", "xyz", "ab" * 31, "sha1:" + "ab" * 32])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        trusted_digests([text])
