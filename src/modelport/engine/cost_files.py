"""What runs take, kept in files, so that a server that starts again knows it already.

A file holds the curves of one version, found by the digest of its model and by where and on how
many threads it ran. Processes that serve the same version write the same file, the last one wins:
they measure the same machine.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from modelport.core.errors import ConfigError
from modelport.engine.cost import CostModel, Point, Points
from modelport.kit.storage import private_folder, write_whole

__all__ = ["Kept", "keep", "kept", "known", "known_s", "one_row_s"]

_LONGEST_S = 3600.0
"""No run takes longer; a file that says so is damaged."""
_log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a file."""

    model: str
    version: str
    digest: str
    placement: str
    """`inline` or `shared`."""
    threads: int
    """CPU threads of one run."""
    curves: list[Points]

    @property
    def file(self) -> str:
        """The file's name."""
        return _file(self.digest, self.placement, self.threads)


def known(folder: Path | None, digest: str, placement: str, threads: int) -> CostModel:
    """What was learnt of a model before; nothing where there is no such file, or a damaged one."""
    if folder is None:
        return CostModel()
    try:
        data = (folder / _file(digest, placement, threads)).read_bytes()
        curves = msgspec.json.decode(data, type=Kept).curves
        whole = all(_is_sound(point) for curve in curves for point in curve.points)
        return CostModel(curves if whole else None)
    except (OSError, msgspec.MsgspecError):
        return CostModel()


def known_s(folder: Path | None, digest: str, placement: str, threads: int) -> float | None:
    """What one row took in a run of its own, of the largest rows; None where that is not known."""
    return one_row_s(known(folder, digest, placement, threads).data())


def one_row_s(curves: list[Points]) -> float | None:
    """What one row took in a run of its own, of the largest rows; None where that is not known."""
    times = [p.seconds for c in curves if c.at_once == 1 for p in c.points if p.rows == 1]
    return max(times, default=None)


def _is_sound(point: Point) -> bool:
    return point.rows >= 1 and point.runs >= 0 and 0 < point.seconds < _LONGEST_S


def keep(folder: Path | None, what: Kept) -> None:
    """Write a file; that it cannot be written is logged, and costs no more than a cold start."""
    if folder is None:
        return
    try:
        write_whole(private_folder(folder) / what.file, msgspec.json.encode(what))
    except (OSError, ConfigError) as error:
        _log.warning("what model '%s' takes could not be kept: %s", what.model, error)


def kept(folder: Path | None) -> list[Kept]:
    """Everything that is kept, by model, version and placement; damaged files are left out."""
    found: list[Kept] = []
    for path in folder.glob("*.json") if folder is not None and folder.is_dir() else ():
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Kept))
        except (OSError, msgspec.MsgspecError):
            _log.warning("'%s' is damaged, and was left out", path.name)
    return sorted(found, key=lambda k: (k.model, _number(k.version), k.placement, k.threads))


def _number(version: str) -> tuple[int, str]:
    return (int(version), version) if version.isdecimal() else (0, version)


def _file(digest: str, placement: str, threads: int) -> str:
    return f"{digest.removeprefix('sha256:')[:32]}-{placement}-{threads}.json"
