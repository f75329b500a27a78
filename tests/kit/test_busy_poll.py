"""An event loop that looks for work before it sleeps, and stops looking where that does not pay."""

import asyncio
import itertools
import selectors
from collections.abc import Callable
from typing import Any

import pytest

from modelport.kit.busy_poll import BusyPoll

SPAN_S = 1.0


class Loop(asyncio.SelectorEventLoop):
    """A loop that tells whether it would sleep, and whose turns take a tenth of the span."""

    def __init__(self) -> None:
        self.now = 0.0
        self.would_sleep = False
        super().__init__(_Watching(self))

    def turns(self, count: int, each: Callable[[], None] = lambda: None) -> int:
        """Run some turns of the loop; in how many it would not have slept."""
        awake = 0
        for _ in range(count):
            self.would_sleep = False
            self._run_once()  # type: ignore[attr-defined]  # asyncio's own turn
            awake += not self.would_sleep
            self.now += SPAN_S / 10
            each()
        return awake


class _Watching(selectors.DefaultSelector):
    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        self._loop.would_sleep = timeout is None or timeout > 0
        return super().select(0)


@pytest.fixture
def loop() -> Any:
    loop = Loop()
    yield loop
    loop.close()


def test_an_answer_keeps_the_loop_awake_for_the_span(loop: Loop) -> None:
    poll = BusyPoll(SPAN_S, lambda: loop.now)
    poll.expect(loop)
    assert loop.turns(30) in (10, 11, 12)
    assert loop.turns(30) == 0


def test_requests_that_come_in_time_keep_it_awake(loop: Loop) -> None:
    poll = BusyPoll(SPAN_S, lambda: loop.now)
    poll.expect(loop)
    for _ in range(20):
        assert loop.turns(5) == 5
        poll.expect(loop)


def test_it_looks_less_and_less_often_where_nothing_comes_in_time(loop: Loop) -> None:
    poll = BusyPoll(SPAN_S, lambda: loop.now)
    looked = []
    for answer in range(3000):
        poll.expect(loop)
        if loop.turns(15):
            looked.append(answer)
    gaps = [b - a for a, b in itertools.pairwise(looked)]
    assert gaps[:8] == [2, 3, 5, 9, 17, 33, 65, 129]
    assert max(gaps) == 1025


def test_one_that_comes_in_time_makes_it_look_as_at_first(loop: Loop) -> None:
    poll = BusyPoll(SPAN_S, lambda: loop.now)
    for _ in range(100):
        poll.expect(loop)
        loop.turns(15)
    while not loop.turns(1):  # until it looks again
        poll.expect(loop)
    poll.expect(loop)
    loop.turns(30)
    poll.expect(loop)
    assert loop.turns(15) == 0
    poll.expect(loop)
    assert loop.turns(15) > 0


def test_a_span_of_zero_never_keeps_it_awake(loop: Loop) -> None:
    poll = BusyPoll(0.0, lambda: loop.now)
    poll.expect(loop)
    assert loop.turns(5) == 0
