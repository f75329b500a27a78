"""Models in object stores: S3 as moto serves it, and what Google's library asks of a server.

`make formats` runs this: the libraries of the stores are many.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from modelport.core.errors import ConfigError
from modelport.core.settings import Fetching
from modelport.repository.remote import fetch
from tests.app.servers import LINEAR, command, environment, eventually, predicted, serving

boto3 = pytest.importorskip("boto3", reason="install 'modelport[s3]'")
moto = pytest.importorskip("moto.server", reason="install 'moto[s3]' and flask-cors")
pytest.importorskip("s3fs", reason="install 'modelport[s3]'")

MODEL = LINEAR.read_bytes()
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Store:
    """A bucket `models`, and what was fetched from it."""

    def __init__(self, url: str) -> None:
        self.client = boto3.client("s3", endpoint_url=url)
        self.client.create_bucket(Bucket="models")

    def put(self, **files: bytes) -> None:
        """Put files at their keys, `__` for `/`, one after the other."""
        for key, data in files.items():
            self.client.put_object(Bucket="models", Key=key.replace("__", "/"), Body=data)

    def put_at(self, key: str, data: bytes = MODEL) -> None:
        self.client.put_object(Bucket="models", Key=key, Body=data)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An S3 server on loopback, which the environment names."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {**SETTINGS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
        monkeypatch.setenv(name, value)
    yield Store(f"http://{host}:{port}")
    httpx.post(f"http://{host}:{port}/moto-api/reset")
    server.stop()


def fetched(url: str, cache: Path, **limits: Any) -> tuple[Path, list[tuple[int, int | None]]]:
    told: list[tuple[int, int | None]] = []
    path = fetch(url, cache, Fetching(**limits), lambda done, total: told.append((done, total)))
    return path, told


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_folder_of_a_bucket_is_fetched_whole(s3: Store, tmp_path: Path) -> None:
    s3.put(team__price__1__model=MODEL, team__price__2__model=MODEL * 2, team__note=b"n")
    s3.put_at("team/empty/", b"")
    path, told = fetched("s3://models/team/", tmp_path / "c")
    assert path.name == "team"
    assert names(path) == ["note", "price/1/model", "price/2/model"]
    assert (path / "price" / "2" / "model").read_bytes() == MODEL * 2
    size = 3 * len(MODEL) + 1
    assert told[-1] == (size, size)
    assert fetched("s3://models/team/", tmp_path / "c") == (path, [])
    assert names(fetched("s3://models", tmp_path / "c")[0])[0] == "team/note"
    assert fetched("s3://models/team/note", tmp_path / "c")[0].read_bytes() == b"n"


def test_only_what_changed_is_fetched_again(s3: Store, tmp_path: Path) -> None:
    s3.put(m__1__a=b"a" * 1000, m__1__b=b"b" * 1000)
    before, _ = fetched("s3://models/m", tmp_path / "c")
    s3.put(m__1__b=b"c" * 1000, m__2__a=b"a")
    s3.client.delete_object(Bucket="models", Key="m/1/none")
    after, _ = fetched("s3://models/m", tmp_path / "c")
    assert names(after) == ["1/a", "1/b", "2/a"]
    assert (after / "1" / "b").read_bytes() == b"c" * 1000
    assert (before / "1" / "b").read_bytes() == b"b" * 1000, "whoever serves it keeps it"
    assert (after / "1" / "a").samefile(before / "1" / "a"), "the same file, not fetched again"


@pytest.mark.parametrize("key", ["m/../../evil", "m/./x", "m//x", "m/a\\b"])
def test_a_key_that_leaves_its_folder_is_refused(s3: Store, tmp_path: Path, key: str) -> None:
    # moto's own router may mend a path before it gets here; then the key is another one.
    s3.put_at("m/good")
    s3.put_at(key, b"evil")
    listed = s3.client.list_objects_v2(Bucket="models")["Contents"]
    if key not in [each["Key"] for each in listed]:
        pytest.skip("the server does not take such a key")
    with pytest.raises(ConfigError, match="is none for a file of this machine"):
        fetched("s3://models/m", tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["known"]


def test_a_file_with_the_name_of_a_folder_is_refused(s3: Store, tmp_path: Path) -> None:
    s3.put(m__a=b"", m__a__b=b"b")
    with pytest.raises(ConfigError, match="a file with the name of a folder above 'a/b'"):
        fetched("s3://models/m", tmp_path / "c")


def test_what_is_too_large_is_refused(s3: Store, tmp_path: Path) -> None:
    s3.put(m__a=b"a" * 1000, m__b=b"b" * 1000)
    with pytest.raises(ConfigError, match=r"more than 1,999 bytes.*fetch_max_bytes"):
        fetched("s3://models/m", tmp_path / "c", fetch_max_bytes=1999)
    fetched("s3://models/m", tmp_path / "c", fetch_max_bytes=2000)


def test_what_goes_wrong_is_said(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "c"
    for url in ("s3://none/m", "s3://none", "s3://models/none"):
        with pytest.raises(ConfigError, match="there is no such bucket, folder or file"):
            fetched(url, cache)
    endpoint = "http://127.0.0.1:9"
    with monkeypatch.context() as changed:
        changed.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(ConfigError, match="its host cannot be reached"):
            fetched("s3://models/m", cache)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="no credentials for it: give them as AWS_ACCESS_KEY_ID"):
        fetched("s3://models/m", cache)


def test_an_interrupted_download_leaves_nothing_half(s3: Store, tmp_path: Path) -> None:
    s3.put(m__a=b"a" * 1000, m__b=b"b" * 5_000_000)

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("s3://models/m", tmp_path / "c", Fetching(), stop)
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["known"]


def latest(url: str) -> str:
    """The version that answers where none is named."""
    return httpx.post(f"{url}/predict", json={"x": [1, 2, 3]}).headers["x-model-version"]


def test_a_repository_of_a_bucket_is_served_and_follows_a_reload(s3: Store, tmp_path: Path) -> None:
    s3.put_at("serving/linear/1/model.onnx")
    state, log = tmp_path / "state", tmp_path / "log"
    with serving("s3://models/serving", state=state, log=log) as server:
        assert predicted(server.url) == {"prediction": pytest.approx(1.8)}
        s3.put_at("serving/linear/2/model.onnx")
        s3.put_at("serving/linear/1/model.onnx", b"changed in place")
        token = (state / "admin-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{server.url}/admin/models/reload", headers=headers, timeout=60)
        assert answer.json()["problems"] == [
            "version 1 of 'linear' has changed where it lies: it is served as it was; publish a"
            " new version, or start the server anew"
        ]
        for version in ("1", "2"):
            url = f"{server.url}/models/linear/versions/{version}/predict"
            assert httpx.post(url, json={"x": [1, 2, 3]}).status_code == 200
        assert latest(server.url) == "2"
        (control,) = server.children()["control"]
        os.kill(control, signal.SIGKILL)
        assert eventually(lambda: server.children()["control"] not in ([], [control]))
        url = f"{server.url}/admin/models/reload"

        def reloaded() -> bool:  # once the new one is linked with the workers
            answer = httpx.post(url, headers=headers, timeout=60)
            return answer.json().get("problems") == []

        assert eventually(reloaded), "what was said once is not said again"
        assert latest(server.url) == "2", "another control process knows what was fetched"
    assert "hunter2" not in log.read_text()


def test_a_bucket_that_is_gone_keeps_what_is_served(s3: Store, tmp_path: Path) -> None:
    s3.put_at("serving/linear/1/model.onnx")
    state = tmp_path / "state"
    with serving("s3://models/serving", state=state, workers=1) as server:
        s3.client.delete_object(Bucket="models", Key="serving/linear/1/model.onnx")
        token = (state / "admin-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{server.url}/admin/models/reload", headers=headers, timeout=60)
        (problem,) = answer.json()["problems"]
        assert "there is no such bucket, folder or file" in problem
        assert predicted(server.url) == {"prediction": pytest.approx(1.8)}


def test_commands_take_a_bucket(s3: Store, tmp_path: Path) -> None:
    s3.put_at("one/linear.onnx")
    where = environment(tmp_path / "state")
    for url in ("s3://models/one/linear.onnx", "s3://models/one"):
        line = command("predict", url, '{"x": [1, 2, 3]}')
        done = subprocess.run(line, capture_output=True, text=True, env=where, cwd=tmp_path)
        assert json.loads(done.stdout) == {"prediction": pytest.approx(1.8)}, done.stderr


class _Google(BaseHTTPRequestHandler):
    """Lists and gives the objects of a bucket, as Google's JSON API does."""

    files: dict[str, bytes]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        key = unquote(parts.path.partition("/b/models/o/")[2])
        if parts.path.endswith("/b/models/o"):
            prefix = asked.get("prefix", [""])[0]
            items = [self._object(k) for k in self.files if k.startswith(prefix)]
            self._answer(json.dumps({"items": items}).encode())
        elif key in self.files:
            data = self.files[key]
            is_content = asked.get("alt") == ["media"] or "/download/" in parts.path
            self._answer(data if is_content else json.dumps(self._object(key)).encode())
        else:
            self._answer(b'{"error": {"code": 404, "message": "none"}}', 404)

    def _object(self, key: str) -> dict[str, str]:
        size = str(len(self.files[key]))
        made = "2026-01-01T00:00:00.000Z"
        return {"name": key, "bucket": "models", "size": size, "etag": f"e{size}"} | {
            "generation": "1",
            "timeCreated": made,
            "updated": made,
        }

    def _answer(self, data: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The files of a bucket on a server on loopback, which Google's library takes for its own."""
    pytest.importorskip("gcsfs", reason="install 'modelport[gs]'")
    files: dict[str, bytes] = {}
    handler = type("Handler", (_Google,), {"files": files})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("FSSPEC_GS_TOKEN", "anon")
    yield files
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
def test_a_folder_of_googles_store_is_fetched(google: dict[str, bytes], tmp_path: Path) -> None:
    google |= {"m/linear/1/model.onnx": MODEL, "m/linear/2/model.onnx": MODEL * 2}
    path, _ = fetched("gs://models/m", tmp_path / "c", fetch_s=60)
    assert names(path) == ["linear/1/model.onnx", "linear/2/model.onnx"]
    assert (path / "linear" / "2" / "model.onnx").read_bytes() == MODEL * 2
    assert fetched("gs://models/m", tmp_path / "c") == (path, [])
    with pytest.raises(ConfigError, match="there is no such bucket, folder or file"):
        fetched("gs://models/none", tmp_path / "c", fetch_s=60)


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
def test_too_many_files_are_refused(google: dict[str, bytes], tmp_path: Path) -> None:
    google |= {f"m/{number}": b"" for number in range(10_001)}
    with pytest.raises(ConfigError, match="holds 10001 files, and at most 10000 are fetched"):
        fetched("gs://models/m", tmp_path / "c", fetch_s=60)


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
@pytest.mark.parametrize("key", ["m/../../evil", "m/a\nb", "m/a\0b", f"m/{'a' * 256}"])
def test_a_name_that_is_none_here_is_refused(
    google: dict[str, bytes], tmp_path: Path, key: str
) -> None:
    google |= {"m/good": b"", key: b"evil"}
    with pytest.raises(ConfigError, match="is none for a file of this machine"):
        fetched("gs://models/m", tmp_path / "c", fetch_s=60)
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["known"]
