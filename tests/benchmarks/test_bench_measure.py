"""What `/proc` says of our own processes."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.measure import cpu_between, cpu_times, memory, tree


def test_the_tree_holds_a_process_and_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(tree(os.getpid()))
        assert {os.getpid(), child.pid} <= set(cpu_times(os.getpid()))
        child.kill()


def test_cpu_time_counts_new_processes_whole_and_ended_ones_not() -> None:
    assert cpu_between({1: 5.0, 2: 1.0}, {1: 7.0, 3: 0.5}) == 2.5


def test_memory_marks_as_many_workers_as_were_started() -> None:
    held = memory(os.getpid(), workers=1)
    assert [process.worker for process in held].count(True) == 1
    assert all(0 < process.pss_mib <= process.rss_mib for process in held)


def test_a_process_that_has_ended_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the table
        held = memory(os.getpid(), workers=1)
    assert all(process.pss_mib > 0 for process in held)
