"""The response cache: what is looked up, what is kept, and who waits for whom.

A run that takes no longer than looking it up is not looked up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from modelport.core.messages import InferRequest, InferResponse
from modelport.core.tensors import Batch
from modelport.engine.cache.digest import BYTES_PER_S, digest_of
from modelport.engine.cache.entry import pack, size_of, unpack
from modelport.engine.cache.far import FarStore
from modelport.engine.cache.flights import Flights
from modelport.engine.cache.identity import Identity
from modelport.engine.cache.near import NearStore

__all__ = ["Asked", "Cache", "Counts"]

_IN_PLACE_BYTES = 128 * 1024
"""Longer inputs are digested in a thread: about 0.2 ms."""
_LARGEST_BYTES = 4 * 1024 * 1024
"""Larger outputs are not stored: packing them would keep others waiting for milliseconds."""
_FAR_S = 0.0005
"""What a look-up on a server takes, with the work on both sides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request on its way to a model."""

    model: str
    version: str
    identity: Identity
    request: InferRequest
    rows: int
    seconds: float
    """What the run is predicted to take."""


@dataclass(slots=True)
class Counts:
    """What became of one version's look-ups."""

    hits: int = 0
    misses: int = 0
    shared: int = 0
    """Answered by the run of an identical request that was in the air."""


class Cache:
    """Stored answers, in this process or on a server, and the runs that others wait for."""

    def __init__(self, near: NearStore | None = None, far: FarStore | None = None) -> None:
        """
        Args:
            near: what this process keeps.
            far: what a server keeps for several.
        """
        self.near = near
        self.far = far
        self.counts: dict[tuple[str, str], Counts] = {}
        """By model and version."""
        self._overhead_s = 0.0 if far is None else _FAR_S
        self._flights: Flights[InferResponse] = Flights()

    def answer(
        self, asked: Asked, run: Callable[[], Awaitable[InferResponse]]
    ) -> InferResponse | Awaitable[InferResponse]:
        """The stored answer, at once where it is near; else what `run` gives, to be awaited.

        Raises nothing of its own: what it raises is what `run` does.
        """
        size = sum(tensor.nbytes for tensor in asked.request.inputs.values())
        looked_up_s = size / BYTES_PER_S + self._overhead_s
        if asked.seconds < 2 * looked_up_s and not asked.identity.is_asked_for:
            return run()
        if size > _IN_PLACE_BYTES:
            return self._at_length(asked, run)
        return self._answer(digest_of(asked.identity.digest, asked.request), asked, run)

    async def _at_length(
        self, asked: Asked, run: Callable[[], Awaitable[InferResponse]]
    ) -> InferResponse:
        key = await asyncio.to_thread(digest_of, asked.identity.digest, asked.request)
        answer = self._answer(key, asked, run)
        return answer if isinstance(answer, InferResponse) else await answer

    def _answer(
        self, key: bytes | None, asked: Asked, run: Callable[[], Awaitable[InferResponse]]
    ) -> InferResponse | Awaitable[InferResponse]:
        if key is None:
            return run()
        if self.near is not None and (payload := self.near.get(key)) is not None:
            found = unpack(payload)
            if found is not None:
                self._counts(asked).hits += 1
                return _stored(asked, found)
        return self._share(key, asked, run)

    async def _share(
        self, key: bytes, asked: Asked, run: Callable[[], Awaitable[InferResponse]]
    ) -> InferResponse:
        # Who is asked first, or counts for more, is not to wait for one who is not.
        flight = key, asked.request.priority, asked.request.caller
        began = time.monotonic()
        response, is_anothers = await self._flights.share(
            flight, lambda: self._lead(key, asked, run)
        )
        if not is_anothers:
            return response
        self._counts(asked).shared += 1
        return _stored(asked, _read_only(response.outputs), time.monotonic() - began)

    async def _lead(
        self, key: bytes, asked: Asked, run: Callable[[], Awaitable[InferResponse]]
    ) -> InferResponse:
        if self.far is not None and (payload := await self.far.get(key)) is not None:
            found = unpack(payload)
            if found is not None:
                self._counts(asked).hits += 1
                return _stored(asked, found)
        self._counts(asked).misses += 1
        response = await run()
        self._keep(key, response.outputs)
        return response

    def _keep(self, key: bytes, outputs: Batch) -> None:
        if size_of(outputs) > _LARGEST_BYTES:
            return
        try:
            payload = pack(outputs)
        except ValueError:  # of a kind that is not stored
            return
        if self.near is not None:
            self.near.put(key, payload)
        if self.far is not None:
            self.far.put(key, payload)

    def _counts(self, asked: Asked) -> Counts:
        return self.counts.setdefault((asked.model, asked.version), Counts())

    async def close(self) -> None:
        """Leave the server; nothing is asked afterwards."""
        if self.far is not None:
            await self.far.close()


def _stored(asked: Asked, outputs: Batch, waited_s: float = 0.0) -> InferResponse:
    return InferResponse(
        model=asked.model,
        version=asked.version,
        outputs=outputs,
        rows=asked.rows,
        frames=asked.request.frames,
        queue_s=waited_s,
    )


def _read_only(outputs: Batch) -> Batch:
    """The same arrays, which several answers share."""
    views = {name: tensor.view() for name, tensor in outputs.items()}
    for view in views.values():
        view.flags.writeable = False
    return views
