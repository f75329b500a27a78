"""A server with less memory than its models take: none fails, none dies, and memory comes back."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.servers import LINEAR, Served, eventually, predicted, serving
from tests.app.tables import value, write_table

MIB = 1024**2
MODELS, ROOM, SIZE_MIB, WORKERS = 50, 10, 8, 2
CLIENTS, REQUESTS = 8, 60
TRANSIENT_MIB = 4 * SIZE_MIB
"""What a load takes while it reads a file, and what requests do."""


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def admin(state: Path) -> dict[str, str]:
    return {"authorization": f"Bearer {(state / 'admin-token').read_text().strip()}"}


def counted(served: Served, name: str, model: str | None = None) -> float:
    lines = httpx.get(f"{served.url}/metrics").text.splitlines()
    wanted = f"{name}{{" if model is None else f'{name}{{model="{model}"'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))


class Visits:
    """Requests to models at random, over both protocols, and what was seen meanwhile."""

    def __init__(self, served: Served) -> None:
        self._url = served.url
        self.pids = served.children()["worker"]
        self.wrong: list[str] = []
        self.most_mib = 0.0

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            clients = (self._client(client, random.Random(at)) for at in range(CLIENTS))
            await asyncio.gather(*clients)

    async def _client(self, client: httpx.AsyncClient, dice: random.Random) -> None:
        for _ in range(REQUESTS):
            number, place = dice.randrange(MODELS), dice.randrange(10_000)
            if dice.random() < 0.5:
                got = await self._plain(client, number, place)
            else:
                got = await self._oip(client, number, place)
            if got != [value(number, place)]:
                self.wrong.append(f"m{number}[{place}]: {got}")
            self.most_mib = max(self.most_mib, *map(resident_mib, self.pids))

    async def _plain(self, client: httpx.AsyncClient, number: int, place: int) -> Any:
        answer = await client.post(f"{self._url}/models/m{number}/predict", json={"i": [place]})
        return answer.json().get("prediction", answer.text)

    async def _oip(self, client: httpx.AsyncClient, number: int, place: int) -> Any:
        tensor = {"name": "i", "datatype": "INT64", "shape": [1], "data": [place]}
        url = f"{self._url}/v2/models/m{number}/infer"
        answer = await client.post(url, json={"inputs": [tensor]})
        return answer.json()["outputs"][0]["data"] if answer.is_success else answer.text


def test_fifty_models_are_visited_at_random_with_memory_for_ten(tmp_path: Path) -> None:
    for number in range(MODELS):
        write_table(tmp_path / "models", number, SIZE_MIB)
    budget_mib = ROOM * SIZE_MIB * 1.05
    budget = f"--model-memory-bytes={int(budget_mib * MIB) * WORKERS}"
    state = tmp_path / "state"
    with serving(tmp_path / "models", "--lazy", budget, state=state, workers=WORKERS) as served:
        visits = Visits(served)
        start = {pid: resident_mib(pid) for pid in visits.pids}
        assert httpx.get(f"{served.url}/v2/health/ready").status_code == 200
        asyncio.run(visits.run())
        assert visits.wrong == []
        assert visits.most_mib < max(start.values()) + budget_mib + TRANSIENT_MIB
        # Weights are mapped from a file, and resident where they were touched.
        assert visits.most_mib > max(start.values()) + budget_mib / 4
        assert counted(served, "modelport_errors_total") == 0
        assert counted(served, "modelport_model_evictions_total") > MODELS
        assert counted(served, "modelport_model_memory_bytes") <= budget_mib * MIB * WORKERS
        for number in range(MODELS):
            url = f"{served.url}/v2/repository/models/m{number}/unload"
            assert httpx.post(url, headers=admin(state), timeout=30).status_code == 200

        def is_back() -> bool:
            return all(resident_mib(pid) < 1.1 * start[pid] for pid in start)

        assert eventually(is_back), (start, [resident_mib(pid) for pid in start])
        assert served.children()["worker"] == visits.pids


def test_a_model_that_the_budget_cannot_hold_is_refused_and_the_others_are_served(
    tmp_path: Path,
) -> None:
    write_table(tmp_path / "models", 1, 4)
    write_table(tmp_path / "models", 2, 40)
    budget = f"--model-memory-bytes={10 * MIB}"
    with serving(tmp_path / "models", budget, state=tmp_path / "state", workers=1) as served:
        for _ in range(2):
            answer = httpx.post(f"{served.url}/models/m2/predict", json={"i": [7]})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
            assert "takes 40.0 MiB, and models have 10.0 MiB in each worker" in answer.text
            good = httpx.post(f"{served.url}/models/m1/predict", json={"i": [7]})
            assert good.json() == {"prediction": [value(1, 7)]}
        assert httpx.get(f"{served.url}/v2/models/m2/ready").status_code == 503
        assert httpx.get(f"{served.url}/v2/models/m1/ready").status_code == 200


SLOW = """
import mmap, time
class Slow:
    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 16 << 20)
        self.memory.write(bytes(16 << 20))
    def predict(self, a: float) -> float:
        time.sleep(1)
        return a
"""


def test_what_is_in_use_or_pinned_stays(tmp_path: Path) -> None:
    for number in (1, 2):
        write_table(tmp_path / "models", number, 16)
    slow = tmp_path / "models" / "slow" / "1" / "app.py"
    slow.parent.mkdir(parents=True)
    slow.write_text(SLOW)
    slow.with_name("model.toml").write_text('attribute = "Slow"')
    trust = f"--trust=sha256:{hashlib.sha256(SLOW.encode()).hexdigest()}"
    args = ("--lazy", "--pin=m1", f"--model-memory-bytes={42 * MIB}", trust)
    with serving(tmp_path / "models", *args, state=tmp_path / "state", workers=1) as served:
        listed = {m["name"]: m["state"] for m in served.models}
        assert listed == {"m1": "READY", "m2": "STANDBY", "slow": "STANDBY"}

        def ask(model: str, body: object) -> object:
            url = f"{served.url}/models/{model}/predict"
            answer = httpx.post(url, json=body, timeout=30)
            assert answer.status_code == 200, answer.text
            return answer.json()["prediction"]

        assert ask("slow", {"a": 1}) == 1
        with ThreadPoolExecutor() as pool:
            in_use = pool.submit(ask, "slow", {"a": 2})
            time.sleep(0.2)
            assert ask("m2", {"i": [7]}) == [value(2, 7)]  # once the slow one has answered
            assert in_use.result() == 2
        assert ask("m1", {"i": [7]}) == [value(1, 7)]
        assert counted(served, "modelport_model_evictions_total", "slow") == 1
        assert counted(served, "modelport_model_evictions_total", "m1") == 0


def test_what_pinned_models_leave_no_room_for_is_refused_at_once(tmp_path: Path) -> None:
    for number in (1, 2):
        write_table(tmp_path / "models", number, 4)
    args = ("--lazy", "--pin=m1", f"--model-memory-bytes={6 * MIB}")
    with serving(tmp_path / "models", *args, state=tmp_path / "state", workers=1) as served:
        refused = httpx.post(f"{served.url}/models/m2/predict", json={"i": [7]}, timeout=3)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert "MiB are pinned" in refused.text
        answer = httpx.post(f"{served.url}/models/m1/predict", json={"i": [7]})
        assert answer.json() == {"prediction": [value(1, 7)]}


def test_what_a_lazy_server_says_of_models_that_are_not_in_memory(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name in ("a", "b"):
        (models / name / "1").mkdir(parents=True)
        shutil.copy(LINEAR, models / name / "1" / "model.onnx")
    with serving(models, "--lazy", state=tmp_path / "state", workers=1) as served:
        index = httpx.post(f"{served.url}/v2/repository/index", json={"ready": True}).json()
        assert [entry["state"] for entry in index] == ["READY", "READY"]
        assert index[0]["reason"] == "not in memory; its next request loads it"
        assert httpx.get(f"{served.url}/v2/models/a/ready").status_code == 200
        paths = httpx.get(f"{served.url}/openapi.json").json()["paths"]
        assert "/models/a/predict" not in paths
        metadata = httpx.get(f"{served.url}/v2/models/a").json()
        assert metadata["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1, 3]}]
        assert "/models/a/predict" in httpx.get(f"{served.url}/openapi.json").json()["paths"]
        assert httpx.get(f"{served.url}/models/b").json()["fields"][0]["name"] == "x"
        assert predicted(served.url, "a") == {"prediction": 1.8}


@pytest.mark.parametrize("lazy", [("--lazy",), ()])
def test_many_ask_for_a_model_at_once_over_connections_that_are_kept(
    tmp_path: Path, lazy: tuple[str, ...]
) -> None:
    for number in range(3):
        write_table(tmp_path / "models", number, 4)
    args = (*lazy, f"--model-memory-bytes={9 * MIB}")
    wrong: list[str] = []
    with serving(tmp_path / "models", *args, state=tmp_path / "state", workers=1) as served:

        def client(at: int) -> None:
            with httpx.Client(timeout=30) as kept:
                for turn in range(30):
                    number = (at + turn) % 3
                    got = kept.post(f"{served.url}/models/m{number}/predict", json={"i": [at]})
                    if got.json() != {"prediction": [value(number, at)]}:
                        wrong.append(got.text)

        threads = [threading.Thread(target=client, args=(at,)) for at in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_new_version_that_exceeds_its_memory_takes_nobodys_place_and_says_why(
    tmp_path: Path,
) -> None:
    write_table(tmp_path / "models", 1, 4)
    write_table(tmp_path / "new", 1, 200)
    state = tmp_path / "state"
    bound = f"--trial-memory-bytes={150 * MIB}"
    with serving(tmp_path / "models", bound, state=state, workers=2) as served:
        (tmp_path / "new" / "m1" / "1").rename(tmp_path / "models" / "m1" / "2")
        url = f"{served.url}/admin/models/reload"
        told = httpx.post(url, headers=admin(state), timeout=60).json()["problems"]
        assert len(told) >= 1
        assert "could not be loaded: loading it took " in told[0]
        assert "and there are 150.0 MiB for it in each worker" in told[0]
        for _ in range(10):
            answer = httpx.post(f"{served.url}/models/m1/predict", json={"i": [7]})
            assert answer.headers["x-model-version"] == "1"
            assert answer.json() == {"prediction": [value(1, 7)]}
        listed = {m["version"]: m for m in httpx.get(f"{served.url}/models").json()}
        assert listed["1"]["state"] == "READY"
        assert listed["2"]["state"] == "FAILED"
        assert "150.0 MiB" in listed["2"]["reason"]


def test_with_a_budget_a_new_version_takes_over_from_the_one_before(tmp_path: Path) -> None:
    write_table(tmp_path / "models", 1, 8)
    write_table(tmp_path / "new", 1, 8)
    state = tmp_path / "state"
    budget = f"--model-memory-bytes={12 * MIB}"
    with serving(tmp_path / "models", budget, state=state, workers=1) as served:
        url = f"{served.url}/models/m1/predict"
        assert httpx.post(url, json={"i": [7]}).headers["x-model-version"] == "1"
        (tmp_path / "new" / "m1" / "1").rename(tmp_path / "models" / "m1" / "2")
        reload = f"{served.url}/admin/models/reload"
        assert httpx.post(reload, headers=admin(state), timeout=60).json()["problems"] == []
        for _ in range(3):
            answer = httpx.post(url, json={"i": [7]}, timeout=30)
            assert answer.headers["x-model-version"] == "2"
            assert answer.json() == {"prediction": [value(1, 7)]}
