"""The last errors, in one process and over several."""

from __future__ import annotations

from modelport.monitor.recent import ErrorLog, MergedErrors, RecentError


def error(number: int, model: str | None = "m") -> RecentError:
    return RecentError(
        at=float(number),
        request_id=f"r{number}",
        model=model,
        version=None,
        protocol=None,
        code="INVALID_INPUT",
        status=400,
        message="no",
    )


def ids(errors: list[RecentError]) -> list[str]:
    return [each.request_id for each in errors]


def test_each_error_is_told_once() -> None:
    log = ErrorLog()
    for number in (1, 2):
        log.note(error(number))
    told, last = log.since(0)
    assert ids(told) == ["r1", "r2"]
    assert log.since(last) == ([], last)
    log.note(error(3, None))
    assert ids(log.since(last)[0]) == ["r3"]
    assert ids(log.since(0)[0]) == ["r1", "r2", "r3"], "to another who asks"


def test_a_flood_of_one_model_drives_out_no_other_s() -> None:
    log, merged = ErrorLog(most=3), MergedErrors(most=3)
    log.note(error(0, "quiet"))
    for number in range(1, 10):
        log.note(error(number, "loud"))
    told, last = log.since(0)
    assert (ids(told), last) == (["r0", "r7", "r8", "r9"], 10)
    merged.add(1, told)
    merged.add(2, [error(20, "loud")])
    assert ids(merged.told("quiet").errors) == ["r0"]
    assert ids(merged.told("loud").errors) == ["r20", "r9", "r8"]


def test_the_errors_of_all_are_told_newest_first() -> None:
    merged = MergedErrors(most=3)
    merged.add(1, [error(1), error(4, None)])
    merged.add(2, [error(3, "n"), error(2)])
    assert ids(merged.told().errors) == ["r4", "r3", "r2"]
    assert ids(merged.told("m").errors) == ["r2", "r1"]
    assert merged.told("nix").errors == []


def test_who_tells_all_again_is_not_heard_twice() -> None:
    merged = MergedErrors()
    merged.add(1, [error(1)])
    merged.add(2, [error(2)])
    merged.forget(1)
    merged.add(1, [error(1)])
    assert ids(merged.told().errors) == ["r2", "r1"]
