"""`Client` and `AsyncClient`: the same calls, for threads and for asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from modelport.client import calls
from modelport.client.budget import RetryBudget
from modelport.client.calls import Call, ModelState
from modelport.client.flow import Rules, answer, holds
from modelport.client.target import resolve
from modelport.client.transport import AsyncTransport, Transport
from modelport.core.messages import Parameter, Priority
from modelport.core.tensors import Array, Batch

__all__ = ["AsyncClient", "Client"]

T = TypeVar("T")


class Client:
    """Asks a Modelport server; threads may share one, and its connections are kept open.

        with Client("http://127.0.0.1:8080") as client:
            client.predict("model", {"x": [1, 2, 3]})  # {"prediction": 1.8}

    Every call raises `ModelportError`: the class that the server named, `NotReady` where the
    server cannot be reached, `DeadlineExceeded` where the time ran out. A call is tried again
    when the connection failed, or when the server asked for it with `Retry-After`, as long as
    there is time and the client's retry budget allows it.

    Args:
        url: `http://` or `https://`, the host, and the path under which the server answers.
        key: sent as `Authorization: Bearer`; None takes MODELPORT_API_KEY from the environment,
            and the empty text sends none.
        timeout_s: seconds for a call with all of its tries; the server is told what is left.
        retries: further tries that a call may have.
        max_connections: how many requests are on their way at once; others wait.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 2,
        max_connections: int = 100,
    ) -> None:
        self._target = resolve(url, key)
        self._rules = Rules(timeout_s=timeout_s, retries=retries, budget=RetryBudget())
        self._transport = Transport(self._target, max_connections)

    def predict(
        self,
        model: str | None,
        data: object,
        *,
        version: str | int | None = None,
        priority: Priority | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, object]:
        """The model's answer to data as a person writes it.

        Args:
            model: its name; None asks the only model that is served.
            data: a dict, a list of records, a list; numpy arrays may stand for lists, and a
                pandas or polars DataFrame for records. NaN is sent as a missing value.
            version: a version or an alias; None leaves the choice to the server.
            priority: its share where others wait too; None is that of the key.
            timeout_s: in place of the client's.
        """
        return self._ask(calls.predict(model, data, version, priority), timeout_s)

    def infer(
        self,
        model: str,
        inputs: Batch,
        *,
        version: str | int | None = None,
        outputs: Iterable[str] = (),
        parameters: Mapping[str, Parameter] | None = None,
        priority: Priority | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Array]:
        """The model's output tensors for input tensors, bit for bit (Open Inference Protocol).

        Arrays of text or bytes come back as arrays of `bytes`; numeric answers are read-only.

        Args:
            model: its name.
            inputs: arrays of the dtypes that the model takes; nothing is converted.
            version: a version or an alias; None leaves the choice to the server.
            outputs: the outputs wanted, in order; empty means all.
            parameters: what else is said to a model that takes parameters; others ignore it.
            priority: its share where others wait too; None is that of the key.
            timeout_s: in place of the client's.
        """
        return self._ask(
            calls.infer(model, inputs, version, outputs, parameters, priority), timeout_s
        )

    def models(self, *, timeout_s: float | None = None) -> list[ModelState]:
        """Every model that the caller may see, with its state."""
        return self._ask(calls.models(), timeout_s)

    def metadata(
        self,
        model: str,
        *,
        version: str | int | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, object]:
        """What a model takes and gives, as the Open Inference Protocol describes it."""
        return self._ask(calls.metadata(model, version), timeout_s)

    def is_live(self, *, timeout_s: float | None = None) -> bool:
        """Whether the server runs; False where nobody answers."""
        return self._holds(calls.live(), timeout_s)

    def is_ready(self, model: str | None = None, *, timeout_s: float | None = None) -> bool:
        """Whether the server, or one of its models, can predict; False where nobody answers."""
        return self._holds(calls.ready(model), timeout_s)

    def close(self) -> None:
        """Close all connections; the client is not used afterwards."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._target.url!r})"

    def _ask(self, call: Call[T], timeout_s: float | None) -> T:
        return self._transport.run(answer(call, self._rules, timeout_s))

    def _holds(self, call: Call[None], timeout_s: float | None) -> bool:
        return self._transport.run(holds(answer(call, self._rules, timeout_s)))


class AsyncClient:
    """As `Client`, for asyncio; tasks of one event loop may share it.

        async with AsyncClient("http://127.0.0.1:8080") as client:
            await client.predict("model", {"x": [1, 2, 3]})  # {"prediction": 1.8}

    Arguments, errors, deadlines and retries are those of `Client`.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 2,
        max_connections: int = 100,
    ) -> None:
        self._target = resolve(url, key)
        self._rules = Rules(timeout_s=timeout_s, retries=retries, budget=RetryBudget())
        self._transport = AsyncTransport(self._target, max_connections)

    async def predict(
        self,
        model: str | None,
        data: object,
        *,
        version: str | int | None = None,
        priority: Priority | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, object]:
        """As `Client.predict`."""
        return await self._ask(calls.predict(model, data, version, priority), timeout_s)

    async def infer(
        self,
        model: str,
        inputs: Batch,
        *,
        version: str | int | None = None,
        outputs: Iterable[str] = (),
        parameters: Mapping[str, Parameter] | None = None,
        priority: Priority | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Array]:
        """As `Client.infer`."""
        return await self._ask(
            calls.infer(model, inputs, version, outputs, parameters, priority), timeout_s
        )

    async def models(self, *, timeout_s: float | None = None) -> list[ModelState]:
        """As `Client.models`."""
        return await self._ask(calls.models(), timeout_s)

    async def metadata(
        self,
        model: str,
        *,
        version: str | int | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, object]:
        """As `Client.metadata`."""
        return await self._ask(calls.metadata(model, version), timeout_s)

    async def is_live(self, *, timeout_s: float | None = None) -> bool:
        """As `Client.is_live`."""
        return await self._holds(calls.live(), timeout_s)

    async def is_ready(self, model: str | None = None, *, timeout_s: float | None = None) -> bool:
        """As `Client.is_ready`."""
        return await self._holds(calls.ready(model), timeout_s)

    async def close(self) -> None:
        """Close all connections; the client is not used afterwards."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._target.url!r})"

    async def _ask(self, call: Call[T], timeout_s: float | None) -> T:
        return await self._transport.run(answer(call, self._rules, timeout_s))

    async def _holds(self, call: Call[None], timeout_s: float | None) -> bool:
        return await self._transport.run(holds(answer(call, self._rules, timeout_s)))
