"""How many CPUs this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SWITCH_S", "available_cpus"]

SWITCH_S = 0.0005
"""For `sys.setswitchinterval`: a thread whose run has ended waits so long for the event loop to let
it go on, and not 5 ms."""

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available_cpus(cgroup: Path = _CGROUP, membership: Path = _MEMBERSHIP) -> int:
    """The CPUs that the cgroup's quotas and the affinity mask grant, at least 1.

    Reads cgroup v2 (`cpu.max`) and v1 (`cpu.cfs_quota_us`), of this process' own group and of
    those above it, whose quotas hold as well; a fraction counts as a whole CPU.
    Source: Linux kernel documentation, "Control Group v2", CPU interface files.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [q for folder in _folders(cgroup, membership) if (q := _quota(folder)) is not None]
    return max(1, min([allowed or 1, *map(math.ceil, quotas)]))


def _folders(cgroup: Path, membership: Path) -> Iterator[Path]:
    """Where a quota may stand: the mount, and the way down to the process' own group."""
    # Each line is ID:CONTROLLERS:PATH; in a container the path may be the host's and not exist.
    groups = {(mount, Path()) for mount in ("", "cpu")}
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            groups.add(("cpu" if controllers else "", Path(path.lstrip("/"))))
    for mount, group in groups:
        for folder in (group, *group.parents):
            yield cgroup / mount / folder


def _quota(folder: Path) -> float | None:
    v2 = _text(folder / "cpu.max").split()
    if len(v2) == 2 and v2[0] != "max":
        return int(v2[0]) / int(v2[1])
    quota = _text(folder / "cpu.cfs_quota_us").split()
    period = _text(folder / "cpu.cfs_period_us").split()
    if quota and period and int(quota[0]) > 0:
        return int(quota[0]) / int(period[0])
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
