"""Three servers behind nginx with one PostgreSQL, as `docs/how-to/several-servers.md` has it."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.app.servers import Served, command, environment, eventually, lives, serving
from tests.nginx import nginx
from tests.ports import free_port
from tests.postgres import PostgresServer

__all__ = ["SERVED_BY", "Cluster", "cluster"]

SERVED_BY = "x-served-by"
"""The header in which the proxy says who answered, for the tests."""
_PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "several-servers.md"
_SOON_S = 2.0
_SLACK_S = 2.0
"""For a machine that does other things as well."""
_SECRET = "a secret of thirty-two characters"


@dataclass
class Cluster:
    """The servers, what is in front of them and what is behind."""

    folder: Path
    model: Path
    config: Path
    database: PostgresServer
    state_url: str
    url: str
    """The proxy's."""
    certificate: Path
    ports: list[int]
    servers: list[Served] = field(default_factory=list)
    _stacks: list[ExitStack] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """What the servers and commands have in common."""
        return {"MODELPORT_STATE_URL": self.state_url, "MODELPORT_SESSION_SECRET": _SECRET}

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command on a machine without a server."""
        elsewhere = self.folder / "elsewhere"
        return subprocess.run(
            command(*args),
            capture_output=True,
            text=True,
            env=environment(elsewhere) | self.env | env,
            cwd=self.folder,
            timeout=60,
        )

    def new_key(self, role: str = "infer", name: str = "shop") -> str:
        """A key, made on a machine without a server."""
        made = self.run("keys", "create", "--role", role, "--name", name)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def soon(self, status: int, key: str) -> bool:
        """Whether each server answers so to a key within the time that is promised."""
        headers = {"authorization": f"Bearer {key}"}

        def is_so() -> bool:
            urls = [f"{server.url}/models" for server in self.servers]
            found = {httpx.get(url, headers=headers, timeout=10).status_code for url in urls}
            return found == {status}

        return eventually(is_so, _SOON_S + _SLACK_S)

    def start(self, index: int) -> None:
        """Start a server in the place of one that ended, or for the first time."""
        stack = ExitStack()
        served = stack.enter_context(
            serving(
                self.model,
                *("--config", str(self.config), "--host", "127.0.0.1"),
                *("--port", str(self.ports[index])),
                state=self.folder / f"state{index}",
                workers=1,
                log=self.folder / f"log{index}",
                env=self.env,
            )
        )
        self.servers[index:] = [served, *self.servers[index + 1 :]]
        self._stacks[index:] = [stack, *self._stacks[index + 1 :]]

    def kill(self, index: int) -> None:
        """Kill a server with all its processes, and wait until its sockets are closed."""
        victim = self.servers[index]
        pids = [pid for each in victim.children().values() for pid in each]
        for pid in (victim.process.pid, *pids):
            os.kill(pid, signal.SIGKILL)
        victim.process.wait()
        assert eventually(lambda: not any(map(lives, pids)))

    def client(self) -> httpx.Client:
        """A client of the proxy that trusts its certificate."""
        trusting = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(base_url=self.url, verify=trusting, timeout=10)

    def log(self) -> str:
        """What all servers have logged."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("log?")))

    def close(self) -> None:
        """Stop the servers."""
        for stack in self._stacks:
            stack.close()


@contextmanager
def cluster(model: Path, folder: Path, database: PostgresServer) -> Iterator[Cluster]:
    """A cluster that is up; skips where its parts are not installed."""
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", _PAGE.read_text(), flags=re.DOTALL))
    config = folder / "modelport.toml"
    config.write_text(blocks["toml"])
    port, ports = free_port(), [free_port() for _ in range(3)]
    servers = _own(blocks["nginx"], folder, port, ports)
    made = Cluster(
        folder=folder,
        model=model,
        config=config,
        database=database,
        state_url=database.new_database(),
        url=f"https://127.0.0.1:{port}",
        certificate=folder / "proxy.crt",
        ports=ports,
    )
    _certify(folder)
    with nginx(folder, servers, port):
        try:
            for index in range(3):
                made.start(index)
            yield made
        finally:
            made.close()


def _own(config: str, folder: Path, port: int, ports: list[int]) -> str:
    """The documented configuration at this test's addresses, and with word of who answered."""
    for at, inner in enumerate(ports):
        config = config.replace(f"10.0.0.1{at + 1}:8080", f"127.0.0.1:{inner}")
    config = config.replace("listen 443", f"listen 127.0.0.1:{port}")
    config = config.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    config = config.replace("/etc/ssl/models.example.pem", str(folder / "proxy.crt"))
    config = config.replace("/etc/ssl/models.example.key", str(folder / "proxy.key"))
    header = f"add_header {SERVED_BY} $upstream_addr always;\n    client_max_body_size"
    return config.replace("client_max_body_size", header)


def _certify(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", "proxy.key", "-out", "proxy.crt", "-subj", "/CN=models.example"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
