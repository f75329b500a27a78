"""Folders that belong to this user alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelport.core.errors import ConfigError
from modelport.kit.storage import locked, private_folder, write_whole


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert private_folder(folder) == folder
    assert mode(folder) == 0o700


def test_a_folder_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path)
    assert mode(tmp_path) == 0o700


def test_a_folder_that_users_share_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigError, match="is shared by users: name one below it"):
        private_folder(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(ConfigError, match="belongs to another user"):
        private_folder(tmp_path)


def test_a_link_and_a_file_in_the_folders_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("x")
    for name in ("link", "file"):
        with pytest.raises(ConfigError, match="cannot be made private"):
            private_folder(tmp_path / name)
    assert mode(tmp_path / "elsewhere") == 0o755


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old and longer")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_who_has_patience_for_a_lock_gives_up_after_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path), pytest.raises(BlockingIOError), locked(path, patience_s=0.1):
        pass
    with locked(path, patience_s=0):
        pass
