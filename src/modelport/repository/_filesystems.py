"""The file systems of other machines, through fsspec; what they raise, in our words.

Each is used asynchronously on a loop of our own, so that one time limit holds for all of it.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from modelport.core.errors import ConfigError, MissingLibrary, ModelportError

__all__ = [
    "SCHEMES",
    "Address",
    "RemoteFile",
    "address",
    "download",
    "explained",
    "files",
    "opened",
]

_CONNECT_S = 20.0
_EXTRAS = {"s3": "s3", "gs": "gs", "https": "https", "http": "https"}
SCHEMES = ("s3", "gs", "https")
"""What is supported; `http` is, too, to this machine."""
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or 'gcloud auth application-default login'",
    "https": "in the address itself",
}


@dataclass(frozen=True)
class Address:
    """Where models lie, as the operator wrote it."""

    scheme: str
    url: str
    shown: str
    """Without what gives access: user, password, query."""
    name: str
    """The last part of its path."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that is there."""

    path: str
    """As its file system knows it."""
    name: str
    """Below the address, with `/` between folders; that of the address for a single file."""
    size: int | None
    mark: str | None
    """Changes when the file does; None where its server tells nothing of the kind."""


def address(url: str) -> Address:
    """What a URL means.

    Raises:
        ConfigError: it is of no supported scheme, or not safe to use.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    shown = _shown(scheme, url)
    if scheme not in _EXTRAS:
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise ConfigError(
            f"models are fetched from {known}, and a path of this machine is named"
            f" as it is; not '{scheme}://'"
        )
    if scheme == "http" and not _is_here(parts):
        raise ConfigError(
            f"'{shown}' would come unprotected, and anyone between could change it: use https://"
        )
    if scheme in ("s3", "gs") and "@" in parts.netloc:
        raise ConfigError(
            f"'{shown}' is written without user and password: give them as {_CREDENTIALS[scheme]}"
        )
    if not parts.netloc.rpartition("@")[2]:
        raise ConfigError(f"'{shown}' names no {'bucket' if scheme in ('s3', 'gs') else 'host'}")
    path = parts.path if scheme in ("s3", "gs") else unquote(parts.path)
    name = path.rstrip("/").rpartition("/")[2] or parts.hostname or ""
    return Address(scheme, scheme + url[len(scheme) :], shown, name)


def _shown(scheme: str, url: str) -> str:
    """Nothing before the last `@`, wherever it is: a password may hold any character unescaped."""
    rest = url[len(scheme) :].removeprefix("://")
    before, _, after = rest.rpartition("@")
    if re.search(r"[?#]", before):  # what follows may be part of a query
        return f"{scheme}://…"
    return f"{scheme}://{re.split(r'[?#]', after)[0]}"


def _is_here(parts: SplitResult) -> bool:
    try:
        return (
            parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False


@contextlib.asynccontextmanager
async def opened(where: Address) -> AsyncIterator[Any]:
    """The file system of an address, closed afterwards.

    Raises:
        MissingLibrary: names the extra that brings it.
    """
    with _named_if_missing(where):
        kind = importlib.import_module("fsspec").get_filesystem_class(where.scheme)
        options = _options(where)
    system = kind(asynchronous=True, skip_instance_cache=True, use_listings_cache=False, **options)
    try:
        start = getattr(system, "set_session", None) or system._set_session
        await start()
        yield system
    finally:
        session: Any = getattr(system, "_s3", None) or getattr(system, "_session", None)
        if session is not None:
            await session.close()


def _options(where: Address) -> dict[str, Any]:
    if where.scheme == "s3":
        limits = {"connect_timeout": _CONNECT_S, "read_timeout": 60.0}
        return {"config_kwargs": limits}
    if where.scheme == "gs":
        return {}
    aiohttp = importlib.import_module("aiohttp")
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_unprotected)
    # No total: the caller's own limit is that.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
    client = {"timeout": timeout, "trace_configs": [trace], "trust_env": True}
    return {"client_kwargs": client, "headers": {"Accept-Encoding": "identity"}}


async def _refuse_unprotected(session: object, context: object, redirect: Any) -> None:
    """Check where a redirect leads, as aiohttp understands it: the one that follows it."""
    headers = redirect.response.headers
    target = headers.get("Location") or headers.get("URI")
    if target:
        url = importlib.import_module("yarl").URL
        address(str(redirect.response.url.join(url(target))))


@contextlib.contextmanager
def _named_if_missing(where: Address) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        extra = _EXTRAS[where.scheme]
        raise MissingLibrary(
            f"fetching from {where.scheme}:// needs a library: pip install 'modelport[{extra}]'"
        ) from error


async def files(system: Any, where: Address) -> list[RemoteFile]:
    """What lies under an address: the file that it names, or all files below it.

    Raises:
        FileNotFoundError: nothing does.
    """
    root = system._strip_protocol(where.url)
    if where.scheme in ("https", "http"):  # there are no listings: an address is a file
        return [_file(await system._info(root), root, where.name)]
    info = await system._info(root)
    if info["type"] == "file":
        return [_file(info, root, where.name)]
    found = await system._find(root, detail=True)
    listed = [
        _file(info, path, path.removeprefix(root).removeprefix("/"))
        for path, info in found.items()
        if not path.endswith("/")  # what consoles make for an empty folder
    ]
    if not listed:
        raise FileNotFoundError(root)
    return listed


def _file(info: dict[str, Any], path: str, name: str) -> RemoteFile:
    marks = [info.get(key) for key in ("ETag", "etag", "generation", "Last-Modified", "mtime")]
    known = [str(mark) for mark in marks if mark]
    size = info.get("size")
    return RemoteFile(path, name, size, " ".join([str(size), *known]) if known else None)


async def download(
    system: Any, file: RemoteFile, target: Path, arrived: Callable[[int], None]
) -> None:
    """Write a file to this machine.

    Args:
        system: where it lies.
        file: which.
        target: where to.
        arrived: told the number of bytes in each part; what it raises ends the download.
    """
    callbacks = importlib.import_module("fsspec.callbacks")

    class Counted(callbacks.Callback):  # type: ignore[misc, name-defined]  # fsspec is untyped
        def relative_update(self, inc: int = 1) -> None:
            arrived(inc)

    await system._get_file(file.path, str(target), callback=Counted())
    _check_size(file, target)


def _check_size(file: RemoteFile, target: Path) -> None:
    if file.size is not None and target.stat().st_size != file.size:
        raise ConfigError(f"'{file.name}' changed while it was fetched: try again")


def explained(error: BaseException, where: Address) -> ModelportError:
    """What went wrong, without anything that gives access."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, ModelportError):
            return each
    for each in chain:
        reason = _reason(each, where)
        if reason is not None:
            return ConfigError(f"'{where.shown}' was not fetched: {reason}")
    return ConfigError(f"'{where.shown}' was not fetched: {type(error).__name__}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """What caused it, the first cause first."""
    inner = error.__cause__ or error.__context__
    if inner is not None:
        yield from _chain(inner)
    yield error


def _reason(error: BaseException, where: Address) -> str | None:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    status = None
    if kinds & {"ClientResponseError", "HttpError"}:  # aiohttp's, gcsfs's
        status = getattr(error, "status", None) or getattr(error, "code", None)
    if kinds & {"ClientConnectorCertificateError", "SSLCertVerificationError", "SSLError"}:
        return "the host's certificate is not one that this machine trusts"
    if kinds & {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}:
        return f"there are no credentials for it: give them as {_CREDENTIALS[where.scheme]}"
    if isinstance(error, PermissionError) or status in (401, 403):
        return "access was refused: check who you are there, and what you may read"
    if isinstance(error, FileNotFoundError) and not isinstance(error.__cause__, OSError):
        return (
            "there is no such bucket, folder or file"
            if where.scheme in ("s3", "gs")
            else "there is no such file"
        )
    if status == 404:
        return "there is no such file"
    if status is not None:
        return f"its server answered with status {status}"
    if kinds & {"ConnectTimeoutError", "ReadTimeoutError", "TimeoutError"}:
        return "its server did not answer in time"
    if kinds & {"ClientConnectorError", "EndpointConnectionError", "gaierror", "ConnectionError"}:
        return "its host cannot be reached"
    if kinds & {"ClientPayloadError", "IncompleteReadError", "ServerDisconnectedError"}:
        return "the connection broke off"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no room for it on this machine's disk"
    return None
