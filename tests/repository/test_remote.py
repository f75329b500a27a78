"""Models that lie elsewhere, fetched from a web server on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelport import load
from modelport.core.errors import ConfigError, ModelportError
from modelport.core.settings import Fetching
from modelport.kit.storage import locked
from modelport.repository.remote import fetch, is_remote
from tests.app.servers import LINEAR, command, environment
from tests.repository.web import Web, web

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("fsspec") is None or importlib.util.find_spec("aiohttp") is None,
    reason="install 'modelport[https]'",
)
SECRETS = ("alice", "hunter2", "sig=", "secret")


@pytest.fixture
def server() -> Iterator[Web]:
    """A web server with `linear.onnx`."""
    with web() as server:
        server.files["/m/linear.onnx"] = LINEAR.read_bytes()
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "fetched"


def refused(url: str, cache: Path, **limits: Any) -> str:
    """Why a URL was not fetched; nothing half is left, and nothing that gives access is said."""
    with pytest.raises(ModelportError) as raised:
        fetch(url, cache, Fetching(**limits))
    assert not any(secret in str(raised.value) for secret in SECRETS)
    left = {path.name for path in cache.iterdir()} - {"known"} if cache.exists() else set()
    assert not left
    return raised.value.message


@pytest.mark.parametrize("path", ["model.onnx", "/a/b", "a:b.py", "app.py:Scorer", "c:/x", "://x"])
def test_a_path_is_no_url(path: str) -> None:
    assert not is_remote(path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/m.onnx", "fetched from s3://, gs://, https://, .* not 'ftp://'"),
        ("file:///etc/passwd", "a path of this machine is named as it is"),
        ("HTTP://example.org/m.onnx?sig=1", "'http://example.org/m.onnx' would come unprotected"),
        ("http://127.0.0.1.example.org/m.onnx", "use https://"),
        ("s3://alice:hunter2@bucket/m", "'s3://bucket/m' is written without user and password"),
        ("s3:///m", "'s3:///m' names no bucket"),
        ("https://alice:hunter2@/m", "names no host"),
        ("http://alice:hun/ter@127.0.0.1/hunter2@h/m", "'http://h/m' would come"),
        ("http://alice:hunter2/a@127.0.0.1/m", "'http://127.0.0.1/m' would come"),
        ("http://alice:hunter2?a@127.0.0.1/m", "'http://…' would come"),
        ("http://host/m?a=b@c&sig=secret", "'http://…' would come"),
        ("https://host/m%0a.onnx", "does not end in a name"),
        ("https://host/..", "does not end in a name"),
        ("https://host/%2e%2e", "does not end in a name"),
        ("https://host/app.py:Scorer", "a program that lies elsewhere is not run by its name"),
    ],
)
def test_a_url_that_is_not_fetched(url: str, message: str, cache: Path) -> None:
    assert is_remote(url)
    with pytest.raises(ConfigError, match=message) as raised:
        fetch(url, cache, Fetching())
    assert not any(secret in str(raised.value) for secret in SECRETS)
    assert not cache.exists()


PROBE = """
import sys
from pathlib import Path
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("fsspec", "aiohttp"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from modelport.core.errors import MissingLibrary
from modelport.core.settings import Fetching
from modelport.repository.remote import fetch
for scheme in ("s3", "gs", "https"):
    try:
        fetch(f"{scheme}://x/y", Path(sys.argv[1]), Fetching())
    except MissingLibrary as error:
        print(error)
"""


def test_a_missing_library_is_named_with_its_extra(cache: Path) -> None:
    line = [sys.executable, "-c", PROBE, str(cache)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"fetching from {scheme}:// needs a library: pip install 'modelport[{scheme}]'"
        for scheme in ("s3", "gs", "https")
    ]


def test_nothing_that_fetches_is_imported_before_it_is_needed() -> None:
    program = "import sys, modelport.cli; print(sorted({'fsspec', 'aiohttp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


@needs_library
def test_a_file_is_kept_by_its_digest_and_fetched_once(server: Web, cache: Path) -> None:
    told: list[tuple[int, int | None]] = []
    url = f"{server.url}/m/linear.onnx"
    path = fetch(url, cache, Fetching(), lambda done, total: told.append((done, total)))
    size = LINEAR.stat().st_size
    assert path.name == "linear.onnx"
    assert path.read_bytes() == LINEAR.read_bytes()
    assert told[-1] == (size, size)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o400
    assert fetch(url, cache, Fetching()) == path
    assert server.fetched == ["/m/linear.onnx"]
    server.files["/m/linear.onnx"] = b"another"
    changed = fetch(url, cache, Fetching())
    assert changed.read_bytes() == b"another"
    assert changed.parent != path.parent
    assert path.read_bytes() == LINEAR.read_bytes(), "whoever serves it keeps it"


@needs_library
def test_what_was_changed_on_this_machine_is_fetched_again(server: Web, cache: Path) -> None:
    path = fetch(f"{server.url}/m/linear.onnx", cache, Fetching())
    path.chmod(0o600)
    path.write_bytes(b"changed by hand")
    assert fetch(f"{server.url}/m/linear.onnx", cache, Fetching()) == path
    assert path.read_bytes() == LINEAR.read_bytes()


@needs_library
def test_a_server_that_tells_nothing_is_asked_each_time(server: Web, cache: Path) -> None:
    server.has_etags = server.has_heads = False
    for _ in range(2):
        fetch(f"{server.url}/m/linear.onnx", cache, Fetching())
    assert len(server.fetched) == 4, "each time for its size, as HEAD is refused, and the file"


@needs_library
def test_a_signature_is_sent_and_never_shown(server: Web, cache: Path) -> None:
    fetch(f"{server.url}/m/linear.onnx?sig=secret", cache, Fetching())
    assert server.fetched == ["/m/linear.onnx?sig=secret"]
    (record,) = (path for path in (cache / "known").iterdir() if path.suffix == ".json")
    assert "secret" not in record.name + record.read_text()
    refused(f"{server.url}/none.onnx?sig=secret", cache.with_name("other"))


@needs_library
def test_what_goes_wrong_is_said(server: Web, cache: Path) -> None:
    local = server.url.replace("http://", "http://alice:hunter2@")
    assert "there is no such file" in refused(f"{local}/none.onnx?sig=secret", cache)
    assert "access was refused" in refused(f"{local}/status/403?sig=secret", cache)
    assert "answered with status 500" in refused(f"{local}/status/500", cache)
    assert "the connection broke off" in refused(f"{local}/broken", cache)
    told = refused(f"{local}/slow", cache, fetch_s=0.3)
    assert told.endswith("was not fetched within 0.3 s, which is the setting fetch_s")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert "its host cannot be reached" in refused(f"http://127.0.0.1:{port}/m.onnx", cache)


@needs_library
def test_what_is_too_large_is_refused_before_or_while_it_comes(server: Web, cache: Path) -> None:
    url = f"{server.url}/m/linear.onnx"
    told = "holds more than 100 bytes, which is the setting fetch_max_bytes"
    assert told in refused(url, cache, fetch_max_bytes=100)
    assert "/m/linear.onnx" not in server.fetched, "its size was said"
    started = time.monotonic()
    assert "1,000,000 bytes" in refused(f"{server.url}/endless", cache, fetch_max_bytes=10**6)
    assert time.monotonic() - started < 5


@needs_library
def test_a_redirect_leads_to_protected_places_only(server: Web, cache: Path) -> None:
    told = refused(f"{server.url}/to/http://example.org/m.onnx?sig=secret", cache)
    assert "'http://example.org/m.onnx' would come unprotected" in told
    told = refused(f"{server.url}/to///example.org/m.onnx", cache)
    assert "'http://example.org/m.onnx' would come unprotected" in told
    for header in ("Location", "URI"):
        server.redirects_by = header
        told = refused(f"{server.url}/to/http://example.org/m.onnx", cache)
        assert "'http://example.org/m.onnx' would come unprotected" in told
    for header in ("Location", "URI"):
        server.redirects_by = header
        path = fetch(f"{server.url}/to//m/linear.onnx", cache, Fetching())
        assert path.read_bytes() == LINEAR.read_bytes()


@needs_library
def test_what_a_killed_fetch_left_is_removed_by_the_next(server: Web, cache: Path) -> None:
    url = f"{server.url}/m/linear.onnx"
    own = hashlib.sha256(url.encode()).hexdigest()
    for name in (own, "dead", "running", "gone"):
        (cache / f".staging-{name}" / "m").mkdir(parents=True)
    (cache / "known").mkdir()
    (cache / "known" / "dead.lock").touch()
    with locked(cache / "known" / "running.lock"):
        fetch(url, cache, Fetching())
        assert [path.name for path in cache.glob(".staging-*")] == [".staging-running"]
    server.files["/m/linear.onnx"] = b"another"
    fetch(url, cache, Fetching())
    assert not list(cache.glob(".staging-*"))


@needs_library
def test_content_that_came_from_elsewhere_at_the_same_time_is_kept(
    server: Web, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def too_late(self: Path, target: Path) -> Path:
        shutil.copytree(self, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", too_late)
    path = fetch(f"{server.url}/m/linear.onnx", cache, Fetching())
    assert path.read_bytes() == LINEAR.read_bytes()
    assert not list(cache.glob(".staging-*"))


@needs_library
def test_a_url_can_be_fetched_where_a_loop_runs(server: Web, cache: Path) -> None:
    async def in_a_notebook() -> Path:
        return fetch(f"{server.url}/m/linear.onnx", cache, Fetching())

    assert asyncio.run(in_a_notebook()).read_bytes() == LINEAR.read_bytes()


@needs_library
def test_a_url_is_loaded_in_place_of_a_path(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELPORT_STATE_DIR", str(tmp_path))
    with load(f"{server.url}/m/linear.onnx") as model:
        assert model.predict({"x": [1, 2, 3]}) == {"prediction": pytest.approx(1.8)}


def run(tmp_path: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    line = command(*args)
    where = environment(tmp_path / "state") | variables
    return subprocess.run(line, capture_output=True, text=True, env=where, cwd=tmp_path)


@needs_library
def test_commands_take_a_url(server: Web, tmp_path: Path) -> None:
    url = f"{server.url}/m/linear.onnx"
    done = run(tmp_path, "predict", url, '{"x": [1, 2, 3]}')
    assert json.loads(done.stdout) == {"prediction": pytest.approx(1.8)}
    assert done.stderr == "", "no bar where nobody looks"
    done = run(tmp_path, "inspect", url, "--json")
    assert json.loads(done.stdout)["inputs"][0]["name"] == "x"
    done = run(tmp_path, "inspect", url, "--write-toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "this is a URL" in done.stderr
    done = run(tmp_path, "push", url, "--json")
    assert (json.loads(done.stdout)["name"], done.returncode) == ("linear", 0)
    assert server.fetched == ["/m/linear.onnx"], "once for all"
    done = run(tmp_path, "predict", url, "{}", MODELPORT_FETCH_MAX_BYTES="10")
    assert (done.returncode, done.stderr.count("fetch_max_bytes")) == (2, 1)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that nobody signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate with openssl")
    files = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    line += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*line, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@needs_library
def test_a_certificate_has_to_be_trusted(certificate: tuple[str, str], tmp_path: Path) -> None:
    with web(certificate) as server:
        server.files["/linear.onnx"] = LINEAR.read_bytes()
        url = f"{server.url}/linear.onnx"
        done = run(tmp_path, "predict", url, '{"x": [1, 2, 3]}')
        assert done.returncode == 2
        assert "the host's certificate is not one that this machine trusts" in done.stderr
        done = run(tmp_path, "predict", url, '{"x": [1, 2, 3]}', SSL_CERT_FILE=certificate[0])
        assert json.loads(done.stdout) == {"prediction": pytest.approx(1.8)}
