"""Clients that take their time, in a process of their own: `python -m tests.chaos.slow ...`.

    slow.py PORT COUNT sends      one byte a second of a request's head
    slow.py PORT COUNT ignores    ask for large answers and read none of them

Prints `ready` when all are connected, or stuck in what they do not read, and when the server has
closed all of them, as a line of JSON, how long each lived, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import sys
import time
from importlib.resources import files

_LONGEST_S = 60.0
_ANSWERS = 100
"""More than fit into all the buffers between a server and a client that does not read."""


async def main(port: int, count: int, kind: str) -> None:
    behave = {"sends": _sends, "ignores": _ignores}[kind]
    started = [asyncio.Event() for _ in range(count)]
    tasks = [asyncio.create_task(behave(port, event)) for event in started]
    await asyncio.gather(*(event.wait() for event in started))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    lived = await asyncio.gather(*tasks)
    sys.stdout.write(json.dumps(lived) + "\n")


async def _sends(port: int, connected: asyncio.Event) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    connected.set()
    head = b"POST /models/linear/predict HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + b"x" * 200
    closed = asyncio.create_task(_read_to_end(reader))
    for byte in head:
        writer.write(bytes([byte]))
        done, _ = await asyncio.wait({closed}, timeout=1.0)
        if done:
            break
    writer.close()
    return time.monotonic() - began


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65536):
            pass
    except OSError:
        pass


def _asset() -> bytes:
    """A file of the web application of about 16 KB: it costs the server little to send."""
    assets = files("modelport.http").joinpath("static", "app", "assets")
    sizes = {file.name: len(file.read_bytes()) for file in assets.iterdir() if ".js" in file.name}
    return min(
        sizes, key=lambda name: (not name.endswith(".js"), abs(sizes[name] - 16_384))
    ).encode()


async def _ignores(port: int, stalled: asyncio.Event) -> float:
    """Asks until every buffer on the way is full of answers that it does not read."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    began = time.monotonic()
    asked = b"GET /assets/%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % _asset() * _ANSWERS
    try:
        await loop.sock_sendall(sock, asked)
        await asyncio.sleep(1.0)
        stalled.set()
        await asyncio.wait_for(_closed(sock), _LONGEST_S)
    except (OSError, TimeoutError):
        stalled.set()
    sock.close()
    return time.monotonic() - began


async def _closed(sock: socket.socket) -> None:
    """Wait until the other side closes or resets the connection, without reading from it."""
    closed = asyncio.Event()
    with select.epoll() as ends:
        ends.register(sock, select.EPOLLRDHUP)  # and for resets, which are always told
        asyncio.get_running_loop().add_reader(ends.fileno(), closed.set)
        try:
            await closed.wait()
        finally:
            asyncio.get_running_loop().remove_reader(ends.fileno())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
