"""The response cache of a real server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from modelport.app.caching import cache_of, cache_report
from modelport.core.settings import Caching, Settings
from tests.app.servers import command, environment, eventually, serving
from tests.engine.cache.redis_server import redis_server

COUNTING = """
import pathlib, time
MARKS = pathlib.Path(__file__).with_suffix(".marks")
def answer(x: float) -> float:
    with MARKS.open("a") as marks:
        marks.write("x")
    return x * FACTOR
"""


def program(folder: Path, toml: str = "cache = true", factor: int = 2) -> Path:
    path = folder / "app.py"
    path.write_text(COUNTING.replace("FACTOR", str(factor)))
    path.with_suffix(".toml").write_text(toml)
    return path


def runs(path: Path) -> int:
    """How often the program ran."""
    marks = path.with_suffix(".marks")
    return len(marks.read_text()) if marks.exists() else 0


def ask(url: str, x: float) -> object:
    """An answer over a connection of its own, so that each worker has its turn."""
    return httpx.post(f"{url}/models/answer/predict", json={"x": x}, timeout=10).json()


def figures(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", timeout=10).text
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "cache" in sample.name
    }


def test_off_is_no_cache_and_counts_nothing() -> None:
    assert cache_of(Caching()) is None
    assert cache_report(None).versions == []


def test_in_memory_each_worker_answers_from_what_it_has_stored(tmp_path: Path) -> None:
    path = program(tmp_path)
    args = ("--cache", "memory", "--cache-bytes", "100000")
    with serving(f"{path}:answer", *args, state=tmp_path / "state", workers=1) as served:
        before = runs(path)
        assert [ask(served.url, x) for x in (1, 1, 2, 1)] == [
            {"prediction": x * 2.0} for x in (1, 1, 2, 1)
        ]
        assert runs(path) - before == 2
        found = figures(served.url)
        assert found["modelport_cache_hits_total"] == 2
        assert found["modelport_cache_misses_total"] == 2
        assert found["modelport_cache_entries"] == 2
        assert 0 < found["modelport_cache_bytes"] < 100000


def test_a_program_is_not_cached_unless_its_owner_says_so(tmp_path: Path) -> None:
    path = program(tmp_path, toml="")
    with serving(
        f"{path}:answer", "--cache", "memory", state=tmp_path / "state", workers=1
    ) as served:
        before = runs(path)
        assert ask(served.url, 1) == ask(served.url, 1)
        assert runs(path) - before == 2


def test_workers_and_servers_share_a_redis_and_a_changed_program_has_answers_of_its_own(
    tmp_path: Path,
) -> None:
    path = program(tmp_path)
    with redis_server(tmp_path, "--requirepass", "pa55") as redis:
        log = tmp_path / "log"
        url = redis.url.replace("//", "//:pa55@")
        args = ("--cache", url, "--cache-ttl-s", "600")
        with serving(f"{path}:answer", *args, state=tmp_path / "state", log=log) as served:
            before = runs(path)
            assert ask(served.url, 1) == {"prediction": 2.0}
            assert eventually(lambda: figures(served.url)["modelport_cache_stored_total"] == 1)
            assert all(ask(served.url, 1) == {"prediction": 2.0} for _ in range(20))
            assert runs(path) - before == 1
            redis.stop()
            assert all(ask(served.url, x) == {"prediction": 2.0 * x} for x in range(20))
            assert eventually(lambda: figures(served.url)["modelport_cache_open"] > 0)
            redis.start()
        with serving(f"{path}:answer", *args, state=tmp_path / "state", log=log) as served:
            before = runs(path)
            assert ask(served.url, 5) == {"prediction": 10.0}
            assert eventually(lambda: figures(served.url)["modelport_cache_stored_total"] == 1)
        program(tmp_path, factor=3)
        with serving(f"{path}:answer", *args, state=tmp_path / "state", log=log) as served:
            assert ask(served.url, 5) == {"prediction": 15.0}
        assert "pa55" not in log.read_text()


@pytest.mark.parametrize(
    ("cache", "told"),
    [
        ("memroy", "a cache is 'off', 'memory', or the address of a Redis"),
        ("redis://:pa55@host:x/0", "is no address of a Redis"),
    ],
)
def test_a_cache_that_is_none_keeps_the_server_from_starting(
    tmp_path: Path, cache: str, told: str
) -> None:
    done = subprocess.run(
        command("serve", f"{program(tmp_path)}:answer", "--port", "0", "--cache", cache),
        capture_output=True,
        text=True,
        env=environment(tmp_path / "state"),
        timeout=60,
    )
    assert done.returncode != 0
    assert told in done.stderr
    assert "pa55" not in done.stderr + done.stdout


def test_the_address_of_a_cache_is_not_shown_with_the_settings() -> None:
    assert "pa55" not in repr(Settings(caching=Caching(cache="redis://:pa55@host:1/0")))
