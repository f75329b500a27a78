"""A real PostgreSQL for tests: Debian's program, in a folder of its own."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.app.servers import child_pids
from tests.ports import free_port

__all__ = ["PASSWORD", "PostgresServer", "missing", "postgres_server"]

PASSWORD = "pa55/wörd@#?"
"""Of the user `modelport`, whose name and whose databases are for Modelport alone."""
_PROGRAMS = sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
_HBA = """
local all boss trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""
_OPTIONS = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "lc_messages=C")


def missing() -> str | None:
    """Why there can be none; None where there can."""
    if not _PROGRAMS:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if shutil.which("openssl") is None:
        return "openssl is not installed (Debian: apt-get install openssl)"
    return None


class PostgresServer:
    """A `postgres` process on a port of its own, and on a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.certificate = folder / "server.crt"
        """What its clients may trust, as its own authority."""
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        if os.geteuid() == 0:  # as whom it does not run
            found = [
                user
                for user in ("postgres", "nobody")
                if user in {u.pw_name for u in pwd.getpwall()}
            ]
            self._user: str | None = found[0]
            shutil.chown(folder, self._user)
        else:
            self._user = None
        self._run(
            "initdb",
            "-D",
            "data",
            "-U",
            "boss",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale",
            "C",
        )
        self._run_line(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "server.key",
            "-out",
            "server.crt",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        )
        (folder / "data" / "pg_hba.conf").write_text(_HBA)
        self.start()
        self.sql(f"CREATE ROLE modelport LOGIN PASSWORD '{PASSWORD}'")
        self.sql("CREATE ROLE guest LOGIN PASSWORD 'guest'")

    def new_database(self) -> str:
        """The URL of an empty one, which belongs to its user."""
        name = f"state{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} OWNER modelport")
        return self.url(name)

    def url(self, database: str, user: str = "modelport", password: str = PASSWORD) -> str:
        """The URL of a database."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What a statement gives, as its superuser: lines of columns apart by `|`."""
        line = ["psql", "-h", str(self.folder), "-p", str(self.port), "-U", "boss", "-d", database]
        return self._run(*line, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement).strip()

    def start(self, *more: str) -> None:
        """Start it, with what it held, and wait until it answers."""
        options = [
            *_OPTIONS,
            f"unix_socket_directories={self.folder}",
            "listen_addresses=127.0.0.1",
            "ssl=on",
            f"ssl_cert_file={self.certificate}",
            f"ssl_key_file={self.folder / 'server.key'}",
            *more,
        ]
        line = [
            str(_PROGRAMS[-1] / "postgres"),
            "-D",
            str(self.folder / "data"),
            "-p",
            str(self.port),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*line, *itertools.chain.from_iterable(("-c", option) for option in options)],
                stdout=log,
                stderr=log,
                user=self._user,
                extra_groups=None if self._user is None else [],
                start_new_session=True,
            )
        until = time.monotonic() + 30
        while True:
            try:
                self.sql("SELECT 1")
                return
            except subprocess.CalledProcessError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """End it at once, as a machine that loses power does."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def restart(self, *more: str) -> None:
        """End it, and start it again."""
        self.stop()
        self.start(*more)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it hang: connections are taken, and nothing is answered."""
        assert self._process is not None
        pids = [self._process.pid, *child_pids(self._process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _run(self, program: str, *arguments: str) -> str:
        return self._run_line(str(_PROGRAMS[-1] / program), *arguments)

    def _run_line(self, *line: str) -> str:
        done = subprocess.run(
            line,
            cwd=self.folder,
            user=self._user,
            extra_groups=None if self._user is None else [],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that is there, ended afterwards."""
    # Not below pytest's own folders, into which no other user may look.
    folder = Path(tempfile.mkdtemp(prefix="modelport-pg-"))
    server = None
    try:
        server = PostgresServer(folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
