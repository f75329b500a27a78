"""Open-loop load: requests are due at a fixed rate, whether or not answers come.

    python -m benchmarks.open_loop http://127.0.0.1:8080/predict --body request.json --rate 500

A user does not wait for the answers of the others, so neither does this generator. Each arrival has
a planned moment, and its latency counts from there: what had to wait for a connection, because the
server was slow with those before it, is not forgotten. One thread, sockets that do not block and
bytes that were made beforehand leave the cores to the server; the generator's own CPU time is told.
"""

from __future__ import annotations

import argparse
import errno
import json
import math
import resource
import select
import socket
import sys
import time
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.answers import Reader
from benchmarks.open_plan import OpenLoad, Plan, latency

__all__ = ["main", "request_bytes", "run"]

_RECEIVE = 262144
_TICK_S = 0.0005
"""Where arrivals are closer than this, those of a tick are sent and read together: to wake for each
would cost more than all else. It may add as much to a latency, at more than 2,000 arrivals/s."""
_LONGEST_S = 1.0
_TURN = 64
"""Arrivals that are sent before answers are looked at again."""
_RETRY_S = 0.02
"""After a refused connection the next is tried so much later."""


def request_bytes(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The POST as it goes over the wire."""
    parts = urlsplit(url)
    lines = {"Host": parts.netloc, "Content-Length": str(len(body)), **headers}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body


def run(url: str, request: bytes, plan: Plan) -> OpenLoad:
    """Send, and wait until each arrival is answered or given up."""
    parts = urlsplit(url)
    return _Generator((parts.hostname or "", parts.port or 80), request, plan).run()


class _Line:
    """One connection."""

    __slots__ = ("connecting", "due", "epoch", "fd", "reader", "sock", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.reader = Reader()
        self.due = 0.0
        """When the request in the air was planned; 0 where there is none."""
        self.epoch = 0
        """Counts its requests: a deadline of an earlier one is none of a later one's."""
        self.unsent: memoryview | None = None
        self.connecting = True


@dataclass
class _Tally:
    statuses: dict[int, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    good: array[float] = field(default_factory=lambda: array("d"))
    refused: array[float] = field(default_factory=lambda: array("d"))
    late: array[float] = field(default_factory=lambda: array("d"))
    good_per_second: list[int] = field(default_factory=list)
    good_while_due: int = 0
    ended: int = 0

    def answer(self, status: int, after_s: float, at_s: float, due: bool) -> None:
        self.ended += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if not 200 <= status < 300:
            self.refused.append(after_s)
            return
        self.good.append(after_s)
        second = max(0, int(at_s))
        while len(self.good_per_second) <= second:
            self.good_per_second.append(0)
        self.good_per_second[second] += 1
        self.good_while_due += due

    def fail(self, kind: str) -> None:
        self.ended += 1
        self.failures[kind] = self.failures.get(kind, 0) + 1


class _Generator:
    """The connections, the arrivals that wait for one, and what became of the others."""

    def __init__(self, address: tuple[str, int], request: bytes, plan: Plan) -> None:
        self._address = address
        self._request = memoryview(request)
        self._plan = plan
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._idle: list[_Line] = []
        self._deadlines: deque[tuple[float, _Line, int]] = deque()
        """Of the requests in the air; in order, because they are sent in order of their plan."""
        self._waiting: deque[float] = deque()
        self._tally = _Tally()
        self._connecting = 0
        self._retry_at = 0.0
        self._start = 0.0

    def run(self) -> OpenLoad:
        """The whole plan."""
        plan, tally = self._plan, self._tally
        try:
            before = _cpu_s()
            self._start = time.monotonic() + 0.01
            self._send_and_receive()
            wall_s = time.monotonic() - self._start
            cpu_s = _cpu_s() - before
        finally:
            for line in list(self._lines.values()):
                line.sock.close()
            self._poll.close()
        return OpenLoad(
            **asdict(plan),
            arrivals=plan.arrivals,
            statuses=dict(sorted(tally.statuses.items())),
            failures=dict(sorted(tally.failures.items())),
            good=latency(tally.good),
            refused=latency(tally.refused),
            good_per_second=tally.good_per_second,
            good_while_due=tally.good_while_due,
            late_p99_ms=latency(tally.late).p99_ms,
            cpu_s=cpu_s,
            wall_s=wall_s,
        )

    def _send_and_receive(self) -> None:
        plan, tally, now = self._plan, self._tally, time.monotonic
        total, gap, planned = plan.arrivals, 1.0 / plan.rate, 0
        while tally.ended < total:
            moment = now()
            for _ in range(_TURN):
                if planned >= total or self._start + planned * gap > moment:
                    break
                self._arrive(self._start + planned * gap, moment)
                planned += 1
            due = self._start + planned * gap if planned < total else math.inf
            self._receive(max(0.0, min(due, self._next_deadline()) - now()))
            moment = now()
            self._give_up(moment)
            self._grow(moment)

    def _next_deadline(self) -> float:
        waiting = self._waiting[0] + self._plan.timeout_s if self._waiting else math.inf
        retry = self._retry_at if self._wants_more() else math.inf
        return min(waiting, retry, self._deadlines[0][0] if self._deadlines else math.inf)

    def _wants_more(self) -> bool:
        more = len(self._waiting) > self._connecting
        return more and len(self._lines) < self._plan.connections

    def _arrive(self, due: float, moment: float) -> None:
        self._tally.late.append(moment - due)
        if self._idle and not self._waiting:
            self._send(self._idle.pop(), due)
        else:
            self._waiting.append(due)
            self._grow(moment)

    def _send(self, line: _Line, due: float) -> None:
        line.due = due
        line.epoch += 1
        self._deadlines.append((due + self._plan.timeout_s, line, line.epoch))
        self._push(line, self._request)

    def _push(self, line: _Line, content: memoryview) -> None:
        try:
            sent = line.sock.send(content)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(line, "reset")
            return
        rest = content[sent:] if sent < len(content) else None
        if (rest is None) != (line.unsent is None):
            wanted = select.EPOLLIN if rest is None else select.EPOLLIN | select.EPOLLOUT
            self._poll.modify(line.fd, wanted)
        line.unsent = rest

    def _receive(self, wait_s: float) -> None:
        whole_s = int(min(wait_s, _LONGEST_S) * 1000) / 1000
        if 0 < wait_s < _TICK_S:
            time.sleep(_TICK_S)
        elif wait_s and not whole_s:
            # epoll sleeps in whole milliseconds; select does not, and an epoll can be selected.
            select.select([self._poll.fileno()], [], [], wait_s)
        for fd, event in self._poll.poll(whole_s):
            line = self._lines.get(fd)
            if line is None:
                continue
            if line.connecting:
                self._connected(line)
            elif event & select.EPOLLOUT and line.unsent is not None:
                self._push(line, line.unsent)
            elif event & ~select.EPOLLOUT:
                self._read(line)

    def _read(self, line: _Line) -> None:
        try:
            data = line.sock.recv(_RECEIVE)
            complete = line.reader.feed(data) if data else False
        except BlockingIOError:
            return
        except OSError:
            self._close(line, "reset")
            return
        except ValueError:
            self._close(line, "broken")
            return
        if not data:
            self._close(line, "reset")
        elif complete:
            self._complete(line)

    def _complete(self, line: _Line) -> None:
        if line.due:
            moment = time.monotonic()
            at_s = moment - self._start
            due = at_s <= self._plan.seconds
            self._tally.answer(line.reader.status, moment - line.due, at_s, due)
            line.due = 0.0
            if not line.reader.closes and line.unsent is None:
                self._free(line)
                return
            # Answered before all was read, or told to close: what follows needs another.
        self._close(line, "reset")

    def _free(self, line: _Line) -> None:
        if self._waiting:
            self._send(line, self._waiting.popleft())
        else:
            self._idle.append(line)

    def _give_up(self, moment: float) -> None:
        deadlines, waiting = self._deadlines, self._waiting
        while deadlines and (deadlines[0][0] <= moment or deadlines[0][1].epoch != deadlines[0][2]):
            _, line, epoch = deadlines.popleft()
            if line.epoch == epoch and line.due:
                self._close(line, "timeout")
        while waiting and waiting[0] + self._plan.timeout_s <= moment:
            waiting.popleft()
            self._tally.fail("unsent")

    def _close(self, line: _Line, kind: str) -> None:
        """End a connection, and count what was in the air on it."""
        if line.due:
            self._tally.fail(kind)
        elif line in self._idle:
            self._idle.remove(line)
        line.due, line.epoch = 0.0, line.epoch + 1
        del self._lines[line.fd]
        line.sock.close()

    def _grow(self, moment: float) -> None:
        while moment >= self._retry_at and self._wants_more():
            sock = socket.socket()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = _Line(sock)
            self._lines[line.fd] = line
            self._poll.register(line.fd, select.EPOLLIN | select.EPOLLOUT)
            self._connecting += 1
            if sock.connect_ex(self._address) != errno.EINPROGRESS:
                self._connected(line)

    def _connected(self, line: _Line) -> None:
        self._connecting -= 1
        line.connecting = False
        try:
            line.sock.getpeername()
        except OSError:
            self._retry_at = time.monotonic() + _RETRY_S
            self._close(line, "reset")
            return
        self._poll.modify(line.fd, select.EPOLLIN)
        self._free(line)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a plan and print what became of it as JSON: 0, or 1 where no answer was good."""
    parser = argparse.ArgumentParser(prog="open_loop", description="Open-loop load on one URL.")
    parser.add_argument("url")
    parser.add_argument("--body", type=Path, required=True, help="the file to send")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE")
    parser.add_argument("--rate", type=float, required=True, help="arrivals in each second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=1024)
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds that anybody waits")
    given = parser.parse_args(arguments)
    headers = {"Content-Type": "application/json"}
    for text in given.header:
        name, _, value = text.partition(":")
        headers[name.strip()] = value.strip()
    plan = Plan(given.rate, given.seconds, given.connections, given.timeout)
    _raise_file_limit()
    load = run(given.url, request_bytes(given.url, given.body.read_bytes(), headers), plan)
    json.dump(asdict(load) | {"goodput": load.goodput}, sys.stdout)
    sys.stdout.write("\n")
    return 0 if load.good.count else 1


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
