"""The life of one version in one process: load, warm, ready; or failed, with the reason.

A version that is not in memory, because models are loaded when they are asked for or because others
needed the room, stands by: its next request loads it.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable
from enum import Enum

from modelport.core.errors import LoadError, ModelportError, NotReady
from modelport.core.tensors import Batch
from modelport.engine.cost import CostModel, row_class
from modelport.engine.cost_files import Kept, keep, known
from modelport.engine.merging import Padding, Waste
from modelport.engine.opening import Described, LoadedModel, Settings
from modelport.engine.placing import open_placed, placed
from modelport.engine.probation import Probation
from modelport.engine.remote import RemoteModel
from modelport.engine.warming import Warmed, by_elements, by_rows, size_measure, warm_up
from modelport.repository.layout import Source
from modelport.runtimes.base import Model

__all__ = ["State", "Version"]

_log = logging.getLogger(__name__)


class State(Enum):
    """Where a version stands.

    LOADING → WARMING → READY → DRAINING → UNLOADED; FAILED comes after the first two, and LOADING
    again after it where the version is tried anew. While it drains, what was accepted is answered.

    STANDBY comes before the first LOADING, or after READY, where memory is saved: requests are
    answered, and the next one loads the version. It stands by until it is READY, so that its name
    means the same version all the time. The word is KServe's.
    """

    STANDBY = "STANDBY"
    LOADING = "LOADING"
    WARMING = "WARMING"
    READY = "READY"
    FAILED = "FAILED"
    DRAINING = "DRAINING"
    UNLOADED = "UNLOADED"


class Version:
    """One version of a model, as this process serves it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name = source.name
        self.version = source.version
        self.state = State.LOADING
        self.reason: str | None = None
        """Why it could not be loaded, as callers may read it."""
        self.whole_reason: str | None = None
        """The same for the operator: with paths, and with what a program said."""
        self.code: str | None = None
        """That of the error that it failed with; None where nobody expected it."""
        self.size_of: Callable[[Batch, int], int] = by_rows
        """The size of a request, from its inputs and its number of rows."""
        self.seconds_per_unit = 0.0
        """Of size, of a request that runs alone; measured, and follows the last runs slowly."""
        self.probation = Probation()
        """Whether its short runs stay on the event loop."""
        self.cost = CostModel()
        """What its batches take."""
        self.door: Callable[[str, str], None] | None = None
        """Refuses a request by its caller and priority, before it is decoded, where too much
        waits; None where nothing does."""
        self.merges = False
        """Whether requests may share a batch."""
        self.padding = Padding()
        """How rows of different lengths share one, where they are answered as if alone."""
        self.waste = Waste()
        self.resident: LoadedModel | None = None
        """The model, while it is in memory and takes requests."""
        self.described: Described | None = None
        """What is known of it since it was first loaded."""
        self.example_answer: str | None = None
        """What it answered to its owner's example, in short."""
        self.size_bytes = 0
        """What it takes in memory, as measured; its files' size before that; 0 before either."""
        self.last_used = 0.0
        """The `time.monotonic()` at the end of its last run."""
        self.in_flight = 0
        """Requests that wait for it to be loaded, and runs that took the event loop's hand."""
        self.evictions = 0
        """How often it had to make room for others."""
        self.is_retired = False
        """Whether it takes no request any more, because it is served no longer."""
        self._retry_after_s: float | None = None
        self._barred_until: float | None = None
        """The `time.monotonic()` from which on one that was too large is tried again."""
        self._attempt = 0
        """Counts the loads, so that one that was given up changes nothing when it ends."""

    @property
    def is_served(self) -> bool:
        """Whether requests are answered: from memory, or once the model is loaded for them."""
        return self.state in (State.READY, State.STANDBY)

    @property
    def is_shared(self) -> bool:
        """Whether it is in memory in the engine process, and not in this one."""
        return self.resident is not None and isinstance(self.resident.model, RemoteModel)

    def is_of(self, digest: str) -> bool:
        """Whether its files may be those of that digest; what was never loaded has none yet."""
        return self.described is None or self.described.digest == digest

    def check_served(self) -> None:
        """Refuse to go on with a version that takes no requests.

        Raises:
            NotReady: it is being loaded, or failed; the message has the reason.
        """
        if self._barred_until is not None and time.monotonic() > self._barred_until:
            # What it takes was measured beside other work, and may have been too much only then.
            self.renew()
            self.stand_by()
        if not self.is_served:
            raise self.not_ready()

    @property
    def loaded(self) -> LoadedModel:
        """The model, once it is ready.

        Raises:
            NotReady: it is loading, or failed; the message has the reason.
        """
        if self.resident is None or self.state is not State.READY:
            raise self.not_ready()
        return self.resident

    def not_ready(self) -> NotReady:
        """The error for a request that came too early, or for a version that failed."""
        if self.state is State.FAILED:
            retry = {} if self._retry_after_s is None else {"retry_after_s": self._retry_after_s}
            return NotReady(f"model '{self.name}' could not be loaded: {self.reason}", **retry)
        if self.state is State.STANDBY:
            return NotReady(f"model '{self.name}' is loaded at its first request", retry_after_s=1)
        return NotReady(
            f"model '{self.name}' is being loaded; try again in a moment", retry_after_s=1
        )

    def renew(self) -> None:
        """Forget what was found out about one that failed, so that it can be tried anew."""
        self.state, self.reason, self.code = State.LOADING, None, None
        self.described, self.size_bytes, self._retry_after_s = None, 0, None
        self._barred_until = None

    def stand_by(self) -> None:
        """Leave it for its first request."""
        self.state = State.STANDBY

    def load(self, settings: Settings) -> None:
        """Load and warm; ends in READY or FAILED and never raises. Runs in a thread."""
        self._moves_to(State.LOADING)
        self.reason = self.code = self._retry_after_s = None
        self._attempt += 1
        attempt = self._attempt
        loaded: LoadedModel | None = None
        try:
            loaded = open_placed(self.source, settings)
            if attempt != self._attempt:
                self._close(loaded.model)
                return
            self._check_same(loaded)
            self._moves_to(State.WARMING)
            self.size_of = size_measure(loaded.view.signature)
            loaded = self._warmed(loaded, settings)
            if attempt != self._attempt:
                self._close(loaded.model)
                return
            self.described = self.described or loaded.described
            self.last_used = time.monotonic()
            if isinstance(loaded.model, RemoteModel):
                loaded.model.count_waste(self.waste)
                if loaded.identity is None:
                    self.door = loaded.model.check_room
            self.resident = loaded
            self._moves_to(State.READY)
        except ModelportError as error:
            if attempt == self._attempt:
                self.code = error.code
                self._retry_after_s = error.retry_after_s if isinstance(error, NotReady) else None
                self._fail(error.message, str(error), error.__cause__, loaded)
        except BaseException as error:  # a model's code may raise SystemExit, too
            if attempt != self._attempt:
                return
            reason = f"{type(error).__name__} while loading"
            self._fail(reason, f"{reason}: {error}", error, loaded)

    def _warmed(self, loaded: LoadedModel, settings: Settings) -> LoadedModel:
        """The model once it is warm; another one where it moved to the engine process for that."""
        if isinstance(loaded.model, RemoteModel):  # warm already
            self.seconds_per_unit = loaded.model.seconds_per_unit
            self.merges = loaded.model.merges
            return loaded
        if not self.cost.data():
            place, threads = settings.place, settings.threads
            self.cost = known(settings.cost_dir, loaded.digest, place, threads)
        warmed = warm_up(loaded, self.size_of)
        self.example_answer = warmed.answer
        self._take_in(loaded, warmed)
        seconds = warmed.runs[0][2] if warmed.runs else None
        return placed(loaded, self.source, seconds, settings)

    def _take_in(self, loaded: LoadedModel, warmed: Warmed) -> None:
        self.seconds_per_unit, self.merges = warmed.seconds_per_unit, warmed.merges
        self.padding = loaded.batching.padding if warmed.pads else Padding()
        for batch, rows, seconds in warmed.runs:
            self.cost.learn(rows, seconds, row_class=self.row_class(batch, rows))

    def row_class(self, inputs: Batch, rows: int) -> int:
        """What the cost of a request's rows is known under."""
        if self.size_of is by_rows:
            return 0
        return row_class(by_elements(inputs, rows), rows)

    def keep_cost(self, settings: Settings) -> None:
        """Write down what was learnt of its runs, if anything was; may be called in a thread."""
        if self.cost.is_changed and (what := self.learnt(settings)) is not None:
            self.cost.is_changed = False
            keep(settings.cost_dir, what)

    def learnt(self, settings: Settings) -> Kept | None:
        """What was learnt of its runs in this process; None where nothing was."""
        if self.described is None or not (curves := self.cost.data()):
            return None
        return Kept(
            model=self.name,
            version=self.version,
            digest=self.described.digest,
            placement=settings.place,
            threads=settings.threads,
            curves=curves,
        )

    def _moves_to(self, state: State) -> None:
        stands_by = self.state is State.STANDBY and state is not State.READY
        if not (stands_by or self.is_retired):
            self.state = state

    def _check_same(self, loaded: LoadedModel) -> None:
        """Requests are decoded by what is known from the first time; the files are not to change.

        Raises:
            LoadError: they did.
        """
        known = self.described
        if known is not None and _facts(known) != _facts(loaded):
            raise LoadError(
                f"the files of version {self.version} have changed since it was first loaded;"
                " publish them as another version, or have the models reloaded"
            )

    def give_up(self, why: NotReady) -> None:
        """Wait no longer for a load; when it ends after all, what it loaded is given back."""
        self._attempt += 1
        self.code, self._retry_after_s = why.code, why.retry_after_s
        self._fail(why.message, why.message, None, None)

    def refuse(self, why: NotReady) -> None:
        """Serve it no longer, for that reason, until it is worth trying anew."""
        if why.retry_after_s is not None:
            self._barred_until = time.monotonic() + why.retry_after_s
        self.code, self._retry_after_s = why.code, why.retry_after_s
        loaded, self.resident = self.resident, None
        self._fail(why.message, why.message, None, loaded)

    def _fail(
        self,
        reason: str,
        whole: str,
        cause: BaseException | None,
        loaded: LoadedModel | None,
    ) -> None:
        self.reason, self.whole_reason = reason, whole
        if whole != reason:
            _log.error("model '%s' could not be loaded: %s", self.name, whole, exc_info=cause)
        self.state = State.FAILED
        if loaded is not None:
            self._close(loaded.model)

    def retire(self, unloaded: Callable[[], None]) -> None:
        """Take no further request, and give the model back once the last one is answered.

        Whoever still answers a request holds the `LoadedModel`: when nobody does, nobody needs it.

        Args:
            unloaded: called then, in whatever thread held it last.
        """
        loaded, self.resident = self.resident, None
        self.is_retired, self.state = True, State.DRAINING

        def ended() -> None:
            self.state = State.UNLOADED
            unloaded()

        if loaded is None:
            ended()
        else:
            self._when_free(loaded, ended)

    def evict(self, unloaded: Callable[[], None]) -> LoadedModel:
        """Stand by, and give the model back as `retire` does; what describes it stays.

        Returns:
            the model, for the caller to drop where closing it may take its time.
        """
        loaded, self.resident = self.resident, None
        assert loaded is not None  # only what is in memory can go
        self.state = State.STANDBY
        self.evictions += 1
        self._when_free(loaded, unloaded)
        return loaded

    def _when_free(self, loaded: LoadedModel, then: Callable[[], None]) -> None:
        def give_back(held: list[Model]) -> None:
            self._close(held[0])
            held.clear()  # whoever is told may want its memory back at once
            then()

        weakref.finalize(loaded, give_back, [loaded.model]).atexit = False

    def close(self) -> None:
        """Give the model's memory back now."""
        loaded, self.resident = self.resident, None
        if loaded is not None:
            self._close(loaded.model)

    def _close(self, model: Model) -> None:
        try:
            model.close()
        except BaseException:  # as in `load`
            _log.exception("model '%s' could not be closed", self.name)


def _facts(described: Described) -> tuple[object, ...]:
    return described.digest, described.description.signature, described.semantics
