"""The digests that this user trusts: allowed once with `--trust`, kept in the state folder."""

from __future__ import annotations

from collections.abc import Iterable

from modelport.app.spec import state_folder
from modelport.core.errors import ConfigError, NotFound
from modelport.kit.storage import locked, private_folder, write_whole
from modelport.repository.integrity import trusted_digests

__all__ = ["distrust", "trust", "trusted_before"]


def trusted_before() -> frozenset[str]:
    """What this user allowed earlier.

    Raises:
        ConfigError: it cannot be read.
    """
    path = state_folder() / "trusted"
    try:
        return frozenset(path.read_text("ascii").split())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except (OSError, ValueError) as error:
        raise ConfigError(f"the list of trusted files '{path}' cannot be read: {error}") from error


def trust(given: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Allow digests from now on.

    Returns:
        everything that is trusted, and what of it is new.

    Raises:
        ConfigError: one is no SHA-256, or the state folder cannot be written.
    """
    wanted = trusted_digests(given)
    if not wanted - trusted_before():
        return trusted_before(), frozenset()
    with locked(private_folder(state_folder()) / "trusted.lock"):
        before = trusted_before()
        _write(before | wanted)
        return before | wanted, wanted - before


def distrust(given: str) -> None:
    """Allow a digest no longer; servers that run have loaded it already.

    Raises:
        ConfigError: it is no SHA-256.
        NotFound: it was not trusted.
    """
    (digest,) = trusted_digests([given])
    with locked(private_folder(state_folder()) / "trusted.lock"):
        before = trusted_before()
        if digest not in before:
            raise NotFound(f"sha256:{digest} is not trusted")
        _write(before - {digest})


def _write(digests: Iterable[str]) -> None:
    lines = "".join(f"{digest}\n" for digest in sorted(digests))
    write_whole(state_folder() / "trusted", lines.encode())
