"""The lanes of one process: how a request runs on a version that is in this process' memory."""

from __future__ import annotations

from modelport.core.messages import InferRequest
from modelport.engine.executor import Run, run_async
from modelport.engine.lane import Lane, Watcher
from modelport.engine.lifecycle import Version
from modelport.engine.limits import Backlog, Limits
from modelport.engine.opening import LoadedModel
from modelport.runtimes.base import given

__all__ = ["Lanes"]


class Lanes:
    """A lane for each version that was asked for."""

    def __init__(self, threads: int, limits: Limits) -> None:
        """
        Args:
            threads: most runs of one version at the same time.
            limits: the bounds of each version's queue and batches.
        """
        self._threads = threads
        self._limits = limits
        self._lanes: dict[Version, Lane] = {}

    async def run(
        self,
        version: Version,
        loaded: LoadedModel,
        request: InferRequest,
        rows: int,
        watcher: Watcher | None = None,
    ) -> Run:
        """The answer to one request; raises as `Lane.run`.

        Args:
            version: what runs.
            loaded: its model; it is held until the run has ended.
            request: what is asked; its inputs fit the signature.
            rows: how many rows it has.
            watcher: is told of each run that it is part of.
        """
        if loaded.description.execution == "async":
            model = given(loaded.model, request.parameters)
            if watcher is None:
                return await run_async(model, request.inputs, request.deadline)
            watcher.begin()
            try:
                return await run_async(model, request.inputs, request.deadline)
            finally:
                watcher.end()
        row_class = version.row_class(request.inputs, rows)
        lane = self._lane(version, loaded)
        if loaded.identity is None:  # what is stored is answered however much waits
            version.door = lane.check_room
        return await lane.run(loaded, request, rows, row_class, watcher)

    def backlog(self, version: Version) -> Backlog:
        """All that waits for a version and runs on it."""
        lane = self._lanes.get(version)
        return Backlog() if lane is None else lane.backlog()

    def _lane(self, version: Version, loaded: LoadedModel) -> Lane:
        lane = self._lanes.get(version)
        if lane is None:
            blocks = loaded.description.execution == "blocking"
            at_once = 1 if blocks else self._threads
            limits = loaded.batching.limits(self._limits, merges=version.merges, at_once=at_once)
            lane = self._lanes[version] = Lane(
                version.name, version.cost, limits, version.padding, version.waste
            )
        return lane

    def drop(self, version: Version) -> None:
        """Forget a version; what waits for it is dropped."""
        lane = self._lanes.pop(version, None)
        version.door = None
        if lane is not None:
            lane.close()

    def close(self) -> None:
        """Drop what waits for any version."""
        for version in list(self._lanes):
            self.drop(version)
