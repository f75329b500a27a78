"""What ends a measurement.

BenchError
├── ToolMissing        a program that the measurement needs is not installed
├── EnvironmentFailed  a peer's environment could not be installed
├── ServerFailed       a server did not start, or did not answer in time
└── WrongAnswer        a server answered, and the answer is not the expected one
"""

from __future__ import annotations

__all__ = ["BenchError", "EnvironmentFailed", "ServerFailed", "ToolMissing", "WrongAnswer"]


class BenchError(Exception):
    """The measurement cannot go on; the message says why."""


class ToolMissing(BenchError):
    """A program that the measurement needs is not installed."""


class EnvironmentFailed(BenchError):
    """A peer's environment could not be installed."""


class ServerFailed(BenchError):
    """A server did not start, or did not answer in time."""


class WrongAnswer(BenchError):
    """A server answered, and the answer is not the expected one."""
