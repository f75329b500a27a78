"""The wire to Redis; the one module that imports its client.

A connection carries one call at a time, and is closed when a call on it does not end as it should:
no reply is left for the next. Each call has a time limit of its own, whatever the client's are.
"""

from __future__ import annotations

import asyncio
import importlib
import math
import time
from collections.abc import Callable
from typing import Any

from modelport.core.errors import ConfigError, MissingLibrary
from modelport.kit.addresses import shown

__all__ = ["CALL_S", "CONNECT_S", "LinkBusy", "LinkFailed", "RedisLink"]

CALL_S = 0.05
"""Seconds that a call may take."""
CONNECT_S = 0.05
"""Seconds that it may take besides where there is no connection yet."""
_CONNECTIONS = 16
_SCHEMES = ("redis", "rediss", "unix")


class LinkFailed(Exception):
    """A call was not answered, or with an error."""

    def __init__(self, kind: str) -> None:
        """
        Args:
            kind: `timeout`, or the class of the client's error; holds no part of the address.
        """
        super().__init__(kind)
        self.kind = kind


class LinkBusy(LinkFailed):
    """A call waited for others of this process until its time was over: no fault of the server."""


class RedisLink:
    """Calls to one server, over a few connections."""

    def __init__(self, url: str) -> None:
        """
        Raises:
            ConfigError: it is no address of a Redis.
            MissingLibrary: the client is not installed; names the extra.
        """
        self._connect = _connector(url)
        self._free: list[Any] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)

    async def get(self, key: bytes) -> object:
        """What the server has under a key: bytes, or None; another kind if it is no Redis.

        Raises:
            LinkFailed: it did not answer, or with an error.
        """
        return await self._call("GET", key)

    async def put(self, key: bytes, value: bytes, ttl_s: float) -> None:
        """Have the server keep a value for a time.

        Raises:
            LinkFailed: it did not answer, or with an error.
        """
        await self._call("SET", key, value, "PX", max(1, round(ttl_s * 1000)))

    async def _call(self, *command: object) -> object:
        began = math.inf
        try:
            async with asyncio.timeout(CALL_S) as limit, self._slots:
                began = time.monotonic()
                return await self._converse(command, limit)
        except TimeoutError as error:
            if _is_ours(began, limit):
                raise LinkBusy("busy") from error
            await self._forget()
            raise LinkFailed("timeout") from error
        except Exception as error:  # what a stranger on that port sends can break any parser
            await self._forget()
            raise LinkFailed(type(error.__cause__ or error).__name__) from error

    async def _converse(self, command: tuple[object, ...], limit: asyncio.Timeout) -> object:
        connection = self._free.pop() if self._free else self._connect()
        try:
            if not connection.is_connected:
                limit.reschedule((limit.when() or 0.0) + CONNECT_S)
                await connection.connect()
            await connection.send_command(*command, check_health=False)
            reply: object = await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)  # nothing is awaited in there
            raise
        self._free.append(connection)
        return reply

    async def _forget(self) -> None:
        """Close what waits for its next call: if one is dead, the others are as well."""
        free, self._free = self._free, []
        for connection in free:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close what is not in use."""
        await self._forget()


def _is_ours(began: float, limit: asyncio.Timeout) -> bool:
    """Whether it was this process that took the time: before the call was made, or by a loop that
    was too busy to look at the reply."""
    late_s = asyncio.get_running_loop().time() - (limit.when() or 0.0)
    return time.monotonic() - began < CALL_S / 2 or late_s > CALL_S / 10


def _connector(url: str) -> Callable[[], Any]:
    if url.partition("://")[0] not in _SCHEMES:
        raise ConfigError(
            "a cache is 'off', 'memory', or the address of a Redis: redis://HOST:PORT/0,"
            " rediss://HOST:PORT/0 or unix:///PATH"
        )
    try:
        client = importlib.import_module("redis.asyncio")
    except ImportError as error:
        raise MissingLibrary(
            f"a cache at {shown(url)} needs a library: pip install 'modelport[redis]'"
        ) from error
    try:
        # Our own limit holds for the whole call; a second one would make a task of each write.
        pool = client.ConnectionPool.from_url(url, protocol=2, socket_timeout=None)
        pool.make_connection()
    except Exception as error:  # not chained: it may quote the address, and the password in it
        raise ConfigError(
            f"{shown(url)} is no address of a Redis ({type(error).__name__}): it is"
            " redis://HOST:PORT/0, rediss://HOST:PORT/0 or unix:///PATH"
        ) from None
    connect: Callable[[], Any] = pool.make_connection
    return connect
