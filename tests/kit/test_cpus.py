"""CPUs: what the control group and the affinity mask grant."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from modelport.kit.cpus import available_cpus

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The CPUs granted by control files and a membership, on a machine of 16."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)

    def count(files: Mapping[str, str], membership: str = "0::/\n") -> int:
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        member = tmp_path / "membership"
        member.write_text(membership)
        return available_cpus(tmp_path / "cgroup", member)

    return count


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1), ("3200000 100000", 16)],
)
def test_a_v2_quota_is_rounded_up_to_whole_cpus(
    cpus: Callable[..., int], quota: str, expected: int
) -> None:
    assert cpus({"cpu.max": quota}) == expected


def test_without_a_quota_all_cpus_of_the_affinity_mask_are_granted(
    cpus: Callable[..., int],
) -> None:
    assert cpus({}) == 16
    assert cpus({"cpu.max": "max 100000"}) == 16


def test_a_v1_quota_holds_and_minus_one_means_none(cpus: Callable[..., int]) -> None:
    period = {"cpu/cpu.cfs_period_us": "100000"}
    assert cpus({**period, "cpu/cpu.cfs_quota_us": "300000"}) == 3
    assert cpus({**period, "cpu/cpu.cfs_quota_us": "-1"}) == 16


def test_the_quota_of_the_own_group_holds(cpus: Callable[..., int]) -> None:
    files = {"system.slice/app.service/cpu.max": "400000 100000"}
    assert cpus(files, "0::/system.slice/app.service\n") == 4
    assert cpus({}, "0::/other.slice\n") == 16


def test_the_smallest_quota_on_the_way_up_holds(cpus: Callable[..., int]) -> None:
    files = {"a/cpu.max": "300000 100000", "a/b/cpu.max": "800000 100000", "cpu.max": "max 1"}
    assert cpus(files, "0::/a/b\n") == 3


def test_a_v1_group_is_the_one_of_the_cpu_controller(cpus: Callable[..., int]) -> None:
    files = {
        "cpu/pod 1/cpu.cfs_quota_us": "500000",
        "cpu/pod 1/cpu.cfs_period_us": "100000",
        "cpu/other/cpu.cfs_quota_us": "100000",
        "cpu/other/cpu.cfs_period_us": "100000",
    }
    assert cpus(files, "5:memory:/other\n3:cpu,cpuacct:/pod 1\n0::/\n") == 5


def test_a_group_path_that_only_the_host_knows_falls_back_to_the_mount(
    cpus: Callable[..., int],
) -> None:
    assert cpus({"cpu.max": "200000 100000"}, "0::/docker/0123\n") == 2


def test_where_nothing_is_known_the_machines_own_count_is_taken(tmp_path: Path) -> None:
    assert available_cpus(tmp_path / "none", tmp_path / "none") == ALLOWED


def test_a_system_without_affinity_masks_counts_its_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cpus(tmp_path, tmp_path / "none") == 1
