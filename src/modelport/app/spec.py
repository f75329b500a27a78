"""What the supervisor tells the processes that it starts, and what workers tell it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
from pathlib import Path
from typing import TypeAlias

import msgspec

from modelport.core.settings import Settings
from modelport.repository.layout import Source

__all__ = [
    "SECRETS",
    "FromWorker",
    "Heard",
    "Loaded",
    "Loading",
    "ModelStatus",
    "Ready",
    "Spec",
    "Unfit",
    "VersionKey",
    "receive_spec",
    "state_folder",
    "tell",
]

VersionKey: TypeAlias = tuple[str, str]
"""The name of a model, and one of its versions."""
SECRETS = ("MODELPORT_STATE_URL", "MODELPORT_SESSION_SECRET")
"""Variables that no process inherits. Control is told what they say, in its spec; workers, which
sign sessions, have the secret of these from control's snapshots. The engine process has neither."""


class Spec(msgspec.Struct, kw_only=True):
    """What a worker, the control process or the engine process is to do."""

    settings: Settings
    state: str
    """The state folder."""
    control: str
    """The path of control's unix socket."""
    engine: str = ""
    """The path of the engine process' unix socket; empty where models cannot be shared."""
    sources: tuple[Source, ...] = ()
    """What is served at first."""
    repository: str = ""
    """The folder of models that is followed from then on; empty where single files are served."""
    remote: str = ""
    """The URL that the models were fetched from; empty where they lie on this machine."""
    trusted: frozenset[str] = frozenset()
    index: int = 0
    """Which worker."""
    workers: int = 1
    host: str = ""
    port: int = 0
    early: bool = True
    """Whether to listen before the models are loaded: at the first start, so that a probe sees
    the server live; not in place of a worker that died, while the others are serving."""
    served: frozenset[VersionKey] = frozenset()
    """What was served before: a worker that cannot load one of these takes nobody's place."""
    fatal: tuple[Source, ...] = ()
    """Versions whose loading ends the process: each with that as its problem."""

    def without_secrets(self) -> Spec:
        """What a process is told at its start that runs models, whose code could read it."""
        settings = self.settings
        state = dataclasses.replace(settings.state, state_url="")
        security = dataclasses.replace(settings.security, session_secret="")
        settings = dataclasses.replace(settings, state=state, security=security)
        return msgspec.structs.replace(self, settings=settings)

    @property
    def only_app(self) -> str | None:
        """The model whose app is the only page; None where all pages are shown."""
        return self.sources[0].name if self.settings.server.app_only else None

    @property
    def url(self) -> str:
        """Where the server is reached from this machine, for which a wildcard is no address."""
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # compared, not bound
        return f"http://[{shown}]:{self.port}" if ":" in shown else f"http://{shown}:{self.port}"


class ModelStatus(msgspec.Struct):
    """What a worker says of a version when it has loaded it or failed to."""

    name: str
    version: str
    state: str
    reason: str | None
    """Why it failed, in full: for whoever started the server."""
    code: str | None
    """That of the error behind the reason."""
    runtime: str
    example: str | None
    """A plain request, as JSON."""

    @property
    def is_served(self) -> bool:
        """Whether requests are answered, from memory or once the model is loaded for them."""
        return self.state in ("READY", "STANDBY")


class Loading(msgspec.Struct, tag=True, frozen=True):
    """A worker begins to load a version: whatever ends the process now is that version's doing."""

    source: Source


class Loaded(msgspec.Struct, tag=True, frozen=True):
    """A worker has loaded every version, or failed to, or was told to end."""


class Unfit(msgspec.Struct, tag=True, frozen=True):
    """A worker ends, because it could not load what was served before."""

    reason: str


class Ready(msgspec.Struct, tag=True, frozen=True):
    """A worker's models are loaded, and it listens."""

    models: list[ModelStatus]


FromWorker: TypeAlias = Loading | Loaded | Unfit | Ready


class Heard:
    """What a worker tells, read from the supervisor's end of its socket."""

    def __init__(self, life: socket.socket) -> None:
        self._life = life
        self._text = b""
        self.is_over = False
        """Nothing more will come."""

    def take(self) -> list[FromWorker]:
        """The messages that have come since the last time; never waits."""
        with contextlib.suppress(OSError):  # BlockingIOError: no more for now
            while part := self._life.recv(65536):
                self._text += part
            self.is_over = True
        *lines, self._text = self._text.split(b"\n")
        return [msgspec.json.decode(line, type=FromWorker) for line in lines]


def receive_spec(fd: int) -> tuple[Spec, socket.socket]:
    """The spec, and the socket that lives as long as the supervisor does."""
    # What a terminal sends to every process is for the supervisor to act on.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    life = socket.socket(fileno=fd)
    text = b""
    while not text.endswith(b"\n"):
        part = life.recv(65536)
        if not part:
            raise SystemExit(0)  # the supervisor is gone already
        text += part
    return msgspec.json.decode(text, type=Spec), life


def tell(life: socket.socket, message: FromWorker) -> None:
    """Tell the supervisor; that it is gone is noticed elsewhere."""
    with contextlib.suppress(OSError):
        life.sendall(msgspec.json.encode(message) + b"\n")


def state_folder() -> Path:
    """Where state is kept: `MODELPORT_STATE_DIR`, else the user's state folder.

    Source: XDG Base Directory Specification, `XDG_STATE_HOME`.
    """
    chosen = os.environ.get("MODELPORT_STATE_DIR")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "modelport"
