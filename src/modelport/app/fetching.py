"""What a command line names as a URL, on this machine; and again when its server is reloaded."""

from __future__ import annotations

from pathlib import Path

import msgspec

from modelport.app.spec import Spec, state_folder
from modelport.control.reconcile import Problem
from modelport.core.errors import ConfigError, MissingLibrary
from modelport.core.settings import Fetching
from modelport.kit.storage import private_folder, write_whole
from modelport.repository import integrity
from modelport.repository.layout import Source, find_sources
from modelport.repository.remote import Progress, fetch, is_remote
from modelport.runtimes.formats import is_model

__all__ = ["Origin", "local"]


def local(argument: str, limits: Fetching, progress: Progress = lambda done, total: None) -> str:
    """A command line's argument as one of this machine: what lies elsewhere is fetched first.

    Raises:
        ConfigError: it cannot be fetched, or not within the limits.
        MissingLibrary: what fetches it is not installed.
    """
    if not is_remote(argument):
        return argument
    cache = private_folder(private_folder(state_folder()) / "fetched")
    return str(fetch(argument, cache, limits, progress))


class _Found(msgspec.Struct, frozen=True):
    """What was served from a folder that lies elsewhere, for a control process after this one."""

    root: str
    sources: tuple[Source, ...]


class Origin:
    """Where the models of a server come from: files that were named, or a folder."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._record = Path(spec.control).with_name("fetched.json")
        self._found = self._before()

    @property
    def root(self) -> Path | None:
        """The folder of the models; None where files were named."""
        return Path(self._found.root) if self._found.root else None

    def home(self, name: str) -> Path:
        """The folder of a model: in that of the models, or that itself."""
        assert self.root is not None
        return self.root / name if (self.root / name).is_dir() else self.root

    def sources(self) -> tuple[Source, ...]:
        """Every version that is there now."""
        if self._spec.remote or self.root is None:
            return self._found.sources
        return _sources(self.root)

    def refresh(self) -> list[Problem]:
        """Fetch again what lies elsewhere, if it has changed; what could not be done.

        A version that was there before is what it was: content under an old number is not taken.
        """
        if not self._spec.remote or self.root is None:
            return []
        try:
            root = Path(local(self._spec.remote, self._spec.settings.fetching))
        except (ConfigError, MissingLibrary) as error:
            return [Problem("", "", error.message)]
        if root == self.root:
            return []
        before = {(source.name, source.version): source for source in self._found.sources}
        kept, problems = [], []
        for source in _sources(root):
            old = before.get((source.name, source.version), source)
            if old != source and not old.problem and _digest(old) != _digest(source):
                sentence = (
                    f"version {source.version} of '{source.name}' has changed where it lies: it is"
                    " served as it was; publish a new version, or start the server anew"
                )
                problems.append(Problem(source.name, source.version, sentence))
            kept.append(source if old.problem else old)
        self._found = _Found(str(root), tuple(kept))
        write_whole(self._record, msgspec.json.encode(self._found))
        return problems

    def _before(self) -> _Found:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=_Found)
        except FileNotFoundError:
            return _Found(self._spec.repository, self._spec.sources)


def _sources(root: Path) -> tuple[Source, ...]:
    try:
        return tuple(find_sources(str(root), is_model))
    except ConfigError:
        return ()  # its last model was taken away


def _digest(source: Source) -> str:
    return source.problem or integrity.digest(Path(source.folder or source.path))
