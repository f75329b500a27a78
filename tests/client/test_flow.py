"""Deadlines and retries without a network: a flow, a fake clock, and outcomes handed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from modelport.client.answers import Reply
from modelport.client.budget import RetryBudget
from modelport.client.calls import Call, Request
from modelport.client.flow import Lost, Rules, Send, answer, holds
from modelport.core.errors import InvalidInput, NotReady, Overloaded

CALL = Call(Request("GET", "/"), lambda reply: reply.body)
LOST = Lost(NotReady("gone"), again=True)
GOOD = Reply("http://a/", 200, {}, b"good")
BAD = Reply("http://a/", 400, {}, b'{"error": "no", "code": "INVALID_INPUT"}')


def busy(retry_after: str) -> Reply:
    body = b'{"error": "full", "code": "OVERLOADED"}'
    return Reply("http://a/", 503, {"retry-after": retry_after}, body)


@dataclass
class Driver:
    """Plays transport: hands out the outcomes, each after `takes_s` of fake time."""

    outcomes: Sequence[Reply | Lost]
    takes_s: float = 0.0
    jitter: float = 1.0
    now: float = 1000.0
    sent: list[Send] = field(default_factory=list)
    budget: RetryBudget = field(default_factory=RetryBudget)

    def run(self, *, timeout_s: float = 10.0, retries: int = 2, probe: bool = False) -> object:
        rules = Rules(
            timeout_s=timeout_s,
            retries=retries,
            budget=self.budget,
            clock=lambda: self.now,
            jitter=lambda: self.jitter,
        )
        flow = answer(CALL, rules)
        flow = holds(flow) if probe else flow
        try:
            send = next(flow)
            for outcome in self.outcomes:
                self.sent.append(send)
                self.now += send.after_s + self.takes_s
                send = flow.send(outcome)
        except StopIteration as done:
            return done.value
        raise AssertionError("the flow wants more than was handed in")

    @property
    def waits(self) -> list[float]:
        return [send.after_s for send in self.sent]


def test_an_answer_ends_the_flow():
    driver = Driver([GOOD])
    assert driver.run() == b"good"
    assert driver.waits == [0]


def test_waits_double_under_full_jitter():
    driver = Driver([LOST, LOST, LOST, GOOD])
    assert driver.run(retries=3) == b"good"
    assert driver.waits == pytest.approx([0, 0.05, 0.1, 0.2])
    calm = Driver([LOST, LOST, GOOD], jitter=0.0)
    calm.run()
    assert calm.waits == [0, 0, 0]


def test_a_wait_is_bounded():
    driver = Driver([LOST] * 30 + [GOOD])
    driver.budget = RetryBudget(reserve=100)
    driver.run(timeout_s=1000, retries=40)
    assert max(driver.waits) == 2.0


def test_jitter_comes_on_top_of_what_the_server_asks():
    driver = Driver([busy("3"), GOOD])
    driver.run()
    assert driver.waits == pytest.approx([0, 3.05])


def test_one_deadline_holds_for_all_tries():
    driver = Driver([LOST, LOST, GOOD], takes_s=2)
    driver.run()
    assert {send.deadline for send in driver.sent} == {1010.0}


def test_there_is_no_try_after_the_deadline():
    driver = Driver([LOST, LOST, GOOD], takes_s=6)
    with pytest.raises(NotReady, match="gone"):
        driver.run()
    assert len(driver.sent) == 2


def test_a_wait_that_ends_at_the_deadline_is_not_begun():
    driver = Driver([busy("10"), GOOD], jitter=0.0)
    with pytest.raises(Overloaded) as caught:
        driver.run()
    assert caught.value.retry_after_s == 10


def test_tries_are_counted():
    driver = Driver([LOST] * 9)
    with pytest.raises(NotReady):
        driver.run(retries=2)
    assert len(driver.sent) == 3


def test_no_retries_means_one_try():
    driver = Driver([LOST, GOOD])
    with pytest.raises(NotReady):
        driver.run(retries=0)
    assert len(driver.sent) == 1


@pytest.mark.parametrize("final", [BAD, Lost(InvalidInput("no"), again=False)])
def test_a_final_failure_is_raised_at_once(final):
    driver = Driver([final, GOOD])
    with pytest.raises(InvalidInput, match="no"):
        driver.run()
    assert len(driver.sent) == 1


def test_a_server_that_is_down_is_not_hammered():
    budget = RetryBudget()
    sent = 0
    for _ in range(100):
        driver = Driver([LOST] * 3, budget=budget)
        with pytest.raises(NotReady):
            driver.run()
        sent += len(driver.sent)
    assert sent == 100 + 10 + 20  # every call, the reserve, and a fifth


def test_a_calm_time_saves_up_for_a_restart():
    budget = RetryBudget()
    for _ in range(1000):
        Driver([GOOD], budget=budget).run()
    saved = 0
    while budget.withdraw():
        saved += 1
    assert saved == 100


@pytest.mark.parametrize(("outcome", "holding"), [(GOOD, True), (busy("99"), False)])
def test_a_probe_answers_yes_or_no(outcome, holding):
    assert Driver([outcome]).run(probe=True) is holding


def test_a_probe_that_is_refused_raises():
    with pytest.raises(InvalidInput):
        Driver([BAD]).run(probe=True)
