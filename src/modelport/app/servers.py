"""The running servers of this user: they leave word in the state folder, and are asked there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from modelport.app.link import ask_control
from modelport.app.spec import Spec, state_folder
from modelport.core.errors import NotReady
from modelport.kit.addresses import shown
from modelport.kit.storage import private_folder, write_whole

__all__ = ["Running", "announced", "ask_servers", "running_servers", "tell_servers"]

_FOLDER = "servers"
_CONNECT_S = 1.0


class Running(msgspec.Struct):
    """A running server, as the user's other commands find it in the state folder."""

    pid: int
    url: str
    control: str
    store: str = ""
    """Where its keys are, if that is not in the state folder."""


def announced(spec: Spec) -> contextlib.ExitStack:
    """Leave word in the state folder for as long as the server runs."""
    folder = private_folder(Path(spec.state) / _FOLDER)
    _forget_the_dead(folder)
    path = folder / f"{os.getpid()}.json"
    store = spec.settings.state.state_url
    running = Running(os.getpid(), spec.url, spec.control, shown(store) if store else "")
    write_whole(path, msgspec.json.encode(running))
    stack = contextlib.ExitStack()
    stack.callback(path.unlink, missing_ok=True)
    return stack


def running_servers() -> Iterator[Running]:
    """What the servers of this user say of themselves."""
    folder = state_folder() / _FOLDER
    _forget_the_dead(folder)
    for path in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # it ends just now
            yield msgspec.json.decode(path.read_bytes(), type=Running)


def tell_servers(operation: str = "refresh") -> list[bytes]:
    """Have each running server of this user do something.

    Args:
        operation: of control; by default it reads the store.

    Returns:
        what each answered.

    Raises:
        NotReady: a server did not confirm that it did.
    """
    return [answer for _, answer in ask_servers(operation)]


def ask_servers(operation: str, body: bytes = b"") -> list[tuple[Running, bytes]]:
    """The same with the operation's JSON, and with who answered."""
    answers = []
    for running in running_servers():
        try:
            answers.append((running, asyncio.run(ask_control(running.control, operation, body))))
        except (ConnectionRefusedError, FileNotFoundError):
            continue  # it ends just now
        except NotReady as error:
            raise NotReady(
                f"the server on {running.url} (process {running.pid}): {error.message}"
            ) from error
    return answers


def _forget_the_dead(folder: Path) -> None:
    """Remove the words of processes that were killed, and could not do so themselves."""
    for path in folder.glob("*.json"):
        if not _lives(path):
            path.unlink(missing_ok=True)


def _lives(path: Path) -> bool:
    """Whether the process that left a word is there."""
    try:
        with contextlib.suppress(PermissionError):
            os.kill(int(path.stem), 0)  # asks only whether it is there
        running = msgspec.json.decode(path.read_bytes(), type=Running)
        # After a restart of the machine its number may be another process'.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_CONNECT_S)
            asking.connect(running.control)
    except (ProcessLookupError, FileNotFoundError, ConnectionRefusedError, ValueError):
        return False  # ValueError: no number, or a word that was cut off
    except OSError:  # too busy to be asked
        return True
    return True
