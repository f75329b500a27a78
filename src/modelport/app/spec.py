"""What the supervisor tells the processes that it starts, and what they tell it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import msgspec

from modelport.core.settings import Settings
from modelport.repository.layout import Source

__all__ = ["ModelStatus", "Ready", "Spec", "receive_spec", "send_ready", "state_folder"]


class Spec(msgspec.Struct, kw_only=True):
    """What a worker or the control process is to do."""

    settings: Settings
    state: str
    """The state folder."""
    control: str
    """The path of control's unix socket."""
    sources: tuple[Source, ...] = ()
    trusted: frozenset[str] = frozenset()
    index: int = 0
    """Which worker."""
    workers: int = 1
    host: str = ""
    port: int = 0
    early: bool = True
    """Whether to listen before the models are loaded: at the first start, so that a probe sees
    the server live; not in place of a worker that died, while the others are serving."""


class ModelStatus(msgspec.Struct):
    """What a worker says of a version when it has loaded it or failed to."""

    name: str
    version: str
    state: str
    reason: str | None
    """Why it failed, in full: for whoever started the server."""
    runtime: str
    example: str | None
    """A plain request, as JSON."""


class Ready(msgspec.Struct):
    """A worker's models are loaded, and it listens."""

    models: list[ModelStatus]


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


def send_ready(life: socket.socket, ready: Ready) -> None:
    """Tell the supervisor that the worker serves."""
    life.sendall(msgspec.json.encode(ready) + b"\n")


def state_folder() -> Path:
    """Where state is kept: `MODELPORT_STATE_DIR`, else the user's state folder.

    Source: XDG Base Directory Specification, `XDG_STATE_HOME`.
    """
    chosen = os.environ.get("MODELPORT_STATE_DIR")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "modelport"
