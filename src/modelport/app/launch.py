"""What `modelport serve` does before there is a server: find models, refuse what is unsafe."""

from __future__ import annotations

import ipaddress
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from modelport.app.spec import state_folder
from modelport.app.supervisor import Serving, serve
from modelport.app.trust import trusted_before
from modelport.core.errors import ConfigError
from modelport.core.settings import Caching, Settings, State
from modelport.engine.cache.redis_link import RedisLink
from modelport.kit.storage import private_folder
from modelport.repository import integrity
from modelport.repository.layout import Source, find_sources
from modelport.runtimes.formats import is_model

__all__ = ["ask", "launch"]


def launch(
    argument: str,
    name: str | None,
    settings: Settings,
    on_serving: Callable[[Serving], int],
    remote: str = "",
) -> int:
    """Serve what a command line's argument means until a signal comes; the exit code.

    Args:
        argument: a path.
        name: the model's name, in place of its file's.
        settings: all of them.
        on_serving: as for `supervisor.serve`.
        remote: the URL that it was fetched from.

    Raises:
        ConfigError: nothing to serve, several models where one app is wanted, an unsafe address,
            a port that is taken, a cache that is none, a state store that cannot be used.
        MissingLibrary: a cache on a Redis or a state store on a PostgreSQL needs its client; names
            the extra.
        NotReady: the state store did answer, and does not any more.
    """
    sources = find_sources(argument, is_model, name)
    if settings.server.app_only:
        _check_only(argument, sources)
    state = private_folder(state_folder())
    _check_state(settings, state)
    _check_exposure(settings, state)
    _check_cache(settings.caching)
    given = integrity.trusted_digests(settings.security.trust)
    trusted = given | trusted_before() | _named_programs(sources)
    folder = Path(argument).resolve()
    repository = folder if folder.is_dir() and not is_model(folder) else None
    return serve(settings, sources, trusted, state, on_serving, repository, remote)


def ask(url: str, body: str) -> str | None:
    """The answer of a server that just started to a request in plain JSON; None if it has none."""
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})  # noqa: S310  # our own http address
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # as above
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def _check_only(argument: str, sources: list[Source]) -> None:
    """Refuse to choose one model's app of several."""
    names = sorted({source.name for source in sources})
    if len(names) == 1:
        return
    listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    homes = (str(Path(s.folder).parent) if s.folder else s.path for s in sources)
    one = next(filter(None, homes), "PATH")
    raise ConfigError(
        f"--app-only shows the app of one model, and '{argument}' has {len(names)} ({listed}):"
        f" serve one of them, as with 'modelport serve {one} --app-only'"
    )


def _named_programs(sources: list[Source]) -> frozenset[str]:
    """The digests of programs whose class or function the user named: that is consent to run."""
    return frozenset(
        integrity.digest(Path(source.path)) for source in sources if source.attribute is not None
    )


def _check_cache(settings: Caching) -> None:
    """Refuse what is no cache before a process is started; nothing is asked of its server."""
    if settings.cache not in ("off", "memory"):
        RedisLink(settings.cache)


def _check_state(settings: Settings, state: Path) -> None:
    """Refuse a common state store that does not answer, or servers that share it by half.

    Raises:
        ConfigError: the store cannot be used, or the secret of sessions is not common, too.
        MissingLibrary: the store needs its client; names the extra.
    """
    if not settings.state.state_url:
        return
    if not settings.security.session_secret:
        raise ConfigError(
            "servers with a common state store ('state_url') need a common 'session_secret', or"
            " browsers that signed in at one are unknown to the next: set it to the same text on"
            " all, of which 'openssl rand -base64 32' prints a good one"
        )
    _prepare(settings.state, state)


def _prepare(settings: State, folder: Path) -> None:
    """Make what the state store lacks.

    Raises:
        ConfigError: it cannot be used.
        MissingLibrary: it needs its client; names the extra.
    """
    from modelport.control.state import StateStore  # costs 0.1 s that loopback need not pay

    with closing(StateStore(folder, settings.state_url)) as store:
        store.prepare()


def _has_keys(settings: State, folder: Path) -> bool:
    """Whether the state store has a key; it is made where it is not there.

    Raises:
        ConfigError: it cannot be used.
        MissingLibrary: it needs its client; names the extra.
        NotReady: it does not answer any more.
    """
    from modelport.control.state import StateStore  # as above

    with closing(StateStore(folder, settings.state_url)) as store:
        store.prepare()
        return bool(store.keys())


def _check_exposure(settings: Settings, state: Path) -> None:
    host = settings.server.host
    if settings.security.insecure or host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if loopback:
        return
    if not _has_keys(settings.state, state):
        raise ConfigError(
            f"listening on {host} would let anyone who reaches this machine use the models, and no"
            " key exists: make one with 'modelport keys create --role infer', or say --insecure"
        )
