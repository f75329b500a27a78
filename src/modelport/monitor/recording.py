"""The last hour as it is kept: a row of numbers for each step in which something happened."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any

from modelport.monitor.changes import Changes, VersionChanges
from modelport.monitor.history import (
    STEP_S,
    History,
    MemoryPoint,
    ServerPoint,
    TrafficPoint,
    VersionHistory,
)
from modelport.monitor.metrics import BOUNDS_S

__all__ = ["Minute", "Recording", "Standing"]

_STEPS = 720
_MINUTE = 12
_SLACK = 60
"""Steps that are kept longer, so that they are thrown away together."""
_LARGEST = 2**32 - 1
"""No count of a step is larger; it would not fit into its cell."""
_Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The server at one moment."""

    cpu: float = 0.0
    """The CPUs that all processes used since the moment before."""
    memory_bytes: int = 0
    connections: int = 0
    waiting: Mapping[_Key, int] | None = None
    """By version: the requests that wait for it, where any do."""
    resident: Mapping[_Key, int] | None = None
    """By version: what it takes in memory."""


@dataclass(frozen=True)
class Minute:
    """What one version, or all, did within the last minute."""

    latency: Sequence[int]
    """Answered requests, by buckets of `BOUNDS_S`."""
    found: int
    looked_up: int

    @property
    def hit_rate(self) -> float | None:
        """The part of the requests that the cache answered; None where none were looked up."""
        return self.found / self.looked_up if self.looked_up else None


class _Rows:
    """Rows of numbers, one for a step, the oldest first."""

    def __init__(self, kind: str, width: int) -> None:
        """
        Args:
            kind: how each number is kept, in the letters of `array`.
            width: how many a row has.
        """
        self.steps = array("q")
        self._cells: array[Any] = array(kind)
        self._width = width

    def of(self, step: int) -> int:
        """Where the row of a step begins in `cells`; no older one is written any more."""
        if not self.steps or step > self.steps[-1]:
            self.steps.append(step)
            self._cells.extend([0] * self._width)
        return len(self._cells) - self._width

    @property
    def cells(self) -> MutableSequence[Any]:
        """All numbers, row by row."""
        return self._cells

    def since(self, step: int) -> Iterator[tuple[int, Sequence[float]]]:
        """The rows from a step on, with their steps."""
        for at in range(bisect_left(self.steps, step), len(self.steps)):
            yield self.steps[at], self._cells[at * self._width : (at + 1) * self._width]

    def copy(self) -> _Rows:
        """The same rows, which stay as they are."""
        copied = _Rows(self._cells.typecode, self._width)
        copied.steps, copied._cells = self.steps[:], self._cells[:]
        return copied

    def trim(self, oldest: int) -> None:
        """Let go of what is older, once it is a good deal."""
        if self.steps and self.steps[0] < oldest - _SLACK:
            gone = bisect_left(self.steps, oldest)
            del self.steps[:gone]
            del self._cells[: gone * self._width]


_SERVER = 5
_REQUESTS, _ERRORS, _ROWS, _WAITING, _FOUND, _LOOKED_UP, _LATENCY = range(7)


class _Track:
    """One version, or all together."""

    def __init__(self) -> None:
        self.rows = _Rows("I", _LATENCY + len(BOUNDS_S) + 1)
        self.memory: list[tuple[int, int]] = []
        """From which step on how much."""

    def add(self, step: int, changes: VersionChanges, waiting: int) -> None:
        """Count what happened in a step."""
        at, cells = self.rows.of(step), self.rows.cells
        more = [changes.requests, changes.errors, changes.rows, 0]
        more += [changes.found, changes.looked_up, *changes.latency]
        for place, count in enumerate(more, at):
            if count:
                cells[place] = min(cells[place] + count, _LARGEST)
        cells[at + _WAITING] = max(cells[at + _WAITING], min(waiting, _LARGEST))

    def takes(self, step: int, size: int) -> None:
        """It takes that much memory from a step on."""
        if (self.memory[-1][1] if self.memory else 0) == size:
            return
        if self.memory and self.memory[-1][0] >= step:
            self.memory.pop()
        self.memory.append((step, size))

    def copy(self) -> _Track:
        copied = _Track()
        copied.rows, copied.memory = self.rows.copy(), self.memory[:]
        return copied

    def trim(self, oldest: int) -> None:
        self.rows.trim(oldest)
        while len(self.memory) > 1 and self.memory[1][0] <= oldest:
            del self.memory[0]

    def is_over(self, oldest: int) -> bool:
        """Whether nothing of it is worth telling any more."""
        last = self.rows.steps[-1] if self.rows.steps else -1
        gone = not self.memory or (self.memory[-1][1] == 0 and self.memory[-1][0] < oldest)
        return last < oldest and gone


class Recording:
    """What happened within the last hour.

    A busy version takes about 100 bytes for each of 720 steps, one that is never asked nothing.
    """

    def __init__(self) -> None:
        self._tracks: dict[_Key, _Track] = {}
        self._total = _Track()
        """Of all versions, and of their memory nothing."""
        self._server = _Rows("d", _SERVER)
        self._newest = 0

    def add(self, since: float, at: float, changes: Changes, standing: Standing) -> None:
        """Count what happened between two moments, in the step that has most of it.

        Args:
            since: the moment before, in seconds since the epoch.
            at: now.
            changes: what happened in between.
            standing: how the server is now.
        """
        step = int((since + at) / 2 // STEP_S)
        if step < self._newest - 1:  # the clock was set back: what is kept has other times
            self._tracks.clear()
            self._total = _Track()
            self._server = _Rows("d", _SERVER)
            self._newest = 0
        step = max(step, self._newest)
        waiting = standing.waiting or {}
        busy = {*changes.versions, *(key for key, jobs in waiting.items() if jobs)}
        if busy:
            self._total.add(step, changes.total(), sum(waiting.values()))
        for key in busy:
            done = changes.versions.get(key) or VersionChanges()
            self._track(key).add(step, done, waiting.get(key, 0))
        resident = standing.resident or {}
        for key in {*resident, *self._tracks}:
            if key in self._tracks or resident[key]:
                self._track(key).takes(step, resident.get(key, 0))
        self._add_server(step, at - since, standing, sum(waiting.values()))
        if step > self._newest:
            self._newest = step
            self._trim(step - _STEPS + 1)

    def _track(self, key: _Key) -> _Track:
        return self._tracks.setdefault(key, _Track())

    def _add_server(self, step: int, lasted_s: float, standing: Standing, waiting: int) -> None:
        at, cells = self._server.of(step), self._server.cells
        before_s = cells[at + 4]
        lasted_s = max(lasted_s, 1e-9)
        cells[at] = (cells[at] * before_s + standing.cpu * lasted_s) / (before_s + lasted_s)
        cells[at + 1], cells[at + 2] = standing.memory_bytes, standing.connections
        cells[at + 3] = max(cells[at + 3], waiting)
        cells[at + 4] = before_s + lasted_s

    def _trim(self, oldest: int) -> None:
        self._server.trim(oldest)
        self._total.trim(oldest)
        for key, track in list(self._tracks.items()):
            track.trim(oldest)
            if track.is_over(oldest):
                del self._tracks[key]

    def minute(self, key: _Key | None = None) -> Minute:
        """The last minute of a version, or of all."""
        track = self._total if key is None else self._tracks.get(key, _Track())
        latency, found, looked_up = [0] * (len(BOUNDS_S) + 1), 0, 0
        for _, row in track.rows.since(self._newest - _MINUTE + 1):
            found += int(row[_FOUND])
            looked_up += int(row[_LOOKED_UP])
            latency = [a + int(b) for a, b in zip(latency, row[_LATENCY:], strict=True)]
        return Minute(latency, found, looked_up)

    def copy(self, model: str | None = None) -> Recording:
        """What there is to tell of a model, or of the whole server, while this one goes on."""
        copied = Recording()
        copied._newest = self._newest
        copied._server, copied._total = self._server.copy(), self._total.copy()
        tracks = self._tracks.items()
        copied._tracks = {key: track.copy() for key, track in tracks if key[0] == model}
        return copied

    def told(self, model: str | None = None, since: float = 0.0) -> History:
        """All of it as data.

        Args:
            model: whose versions; None is all together, however many there are.
            since: steps that began before are left out.
        """
        oldest = max(self._newest - _STEPS + 1, int(-(-since // STEP_S)))
        return History(
            step_s=STEP_S,
            bounds_s=list(BOUNDS_S),
            versions=[
                _version(key, track, oldest)
                for key, track in sorted(self._tracks.items())
                if key[0] == model
            ],
            traffic=_points(self._total, oldest) if model is None else [],
            server=[
                ServerPoint(
                    at=step * STEP_S,
                    cpu=round(row[0], 4),
                    memory_bytes=int(row[1]),
                    connections=int(row[2]),
                    waiting=int(row[3]),
                )
                for step, row in self._server.since(oldest)
            ],
        )


def _points(track: _Track, oldest: int) -> list[TrafficPoint]:
    points = []
    for step, cells in track.rows.since(oldest):
        row = [int(cell) for cell in cells]
        points.append(
            TrafficPoint(
                at=step * STEP_S,
                requests=row[_REQUESTS],
                errors=row[_ERRORS],
                rows=row[_ROWS],
                latency=row[_LATENCY:],
                waiting=row[_WAITING],
            )
        )
    return points


def _version(key: _Key, track: _Track, oldest: int) -> VersionHistory:
    name, version = key
    held = [size for step, size in track.memory if step <= oldest][-1:]
    later = [(step, size) for step, size in track.memory if step > oldest]
    memory = [*((oldest, size) for size in held), *later]
    return VersionHistory(
        name=name,
        version=version,
        points=_points(track, oldest),
        memory=[MemoryPoint(at=step * STEP_S, resident_bytes=size) for step, size in memory],
    )
