"""Every option, declared once: its type, default, unit and help.

The command line, the environment (`MODELPORT_PORT=9000`), `modelport.toml` and the documentation
are derived from these classes. A field's name is unique over all groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

__all__ = [
    "Caching",
    "Fetching",
    "HttpLimits",
    "Inference",
    "Memory",
    "Placement",
    "Security",
    "Server",
    "Settings",
    "State",
    "option",
]

Placement: TypeAlias = Literal["auto", "inline", "shared"]
"""A copy of a model in each worker, or one in the engine process for all of them."""

_MIB = 1024 * 1024
_GIB = 1024 * _MIB


def option(default: Any, help: str, **metadata: Any) -> Any:
    """A field with its help text.

    Args:
        default: its value where nobody sets it.
        help: one sentence for people.
        metadata: `file_only=True` keeps it off the command line; `least` and `most` are the
            smallest and the largest number allowed; `secret=True` keeps it from being shown;
            `shortest` is how many characters a text has at least, where it is set.
    """
    shown = not metadata.get("secret", False)
    return field(default=default, repr=shown, metadata={"help": help, **metadata})


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where and with how many processes."""

    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(8080, "Port to listen on; 0 picks a free one.", least=0, most=65535)
    workers: int = option(
        0, "Worker processes; 0 means one for each CPU that is granted.", least=0, most=1024
    )
    app_only: bool = option(
        False, "Show the app of the only model at /, and no other page; the API stays."
    )
    drain_s: float = option(
        30.0, "Seconds that requests in the air are given when the server is told to stop.", least=0
    )
    drain_delay_s: float = option(
        0.0,
        "Seconds between turning not ready and closing the port, for load balancers to notice.",
        least=0,
    )
    watchdog_s: float = option(
        30.0,
        "Seconds after which a process is replaced that makes no progress though it uses a CPU; one"
        " that does nothing at all is replaced after two. 0 replaces none.",
        least=0,
    )


@dataclass(frozen=True, kw_only=True)
class Security:
    """Who may call."""

    insecure: bool = option(
        False, "Listen beyond this machine without any key: anyone who reaches the port may call."
    )
    allowed_host: tuple[str, ...] = option(
        (), "A host name, besides localhost, under which this server may be addressed; repeatable."
    )
    cors_origin: tuple[str, ...] = option(
        (), "An origin whose web pages may call, such as https://app.example; repeatable."
    )
    session_secret: str = option(
        "",
        "What the sessions of browsers are signed with, of 32 characters or more: servers with the"
        " same accept each other's. By itself one is made and kept in the state folder.",
        file_only=True,
        secret=True,
        shortest=32,
    )
    session_hours: int = option(
        12, "Hours for which signing in with a browser lasts.", least=1, most=8760
    )
    behind_tls: bool = option(
        False,
        "Browsers reach this server over TLS, which a proxy in front does: they send the session's"
        " cookie over TLS only.",
    )
    public_apps: tuple[str, ...] = option(
        (),
        "The name of a model whose app needs no key, if its model.toml has `public = true` in"
        " [app], too; `*` is every such model; repeatable.",
    )
    trust: tuple[str, ...] = option(
        (), "The digest (sha256:...) of a file that may run code when it is loaded; repeatable."
    )


@dataclass(frozen=True, kw_only=True)
class State:
    """Where keys and links to sign in with are kept."""

    state_url: str = option(
        "",
        "The address of a PostgreSQL that several servers have in common,"
        " postgresql://USER:PASSWORD@HOST:5432/DATABASE; they need one session_secret, too. By"
        " itself a file in the state folder.",
        file_only=True,
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How models run."""

    threads: int = option(
        0,
        "CPU threads for one inference; 0 shares the CPUs among the workers, and gives a shared"
        " model all of them.",
        least=0,
        most=1024,
    )
    queue_limit: int = option(1024, "Requests that may wait for one model in each worker.", least=1)
    queue_s: float = option(
        2.0,
        "Seconds of predicted work that may wait for one model in each worker; what would wait"
        " longer is refused with 503.",
        least=0.001,
    )
    objective_s: float = option(
        0.0,
        "Seconds within which nearly all requests are to be answered: a batch may then wait for"
        " more where that raises the throughput, and takes no more rows than fit. 0 is none.",
        least=0,
    )
    timeout_s: float = option(
        60.0, "Seconds after which a request that got no answer gets 504.", least=0.001
    )
    load_s: float = option(
        300.0,
        "Seconds after which a version that a running server loads counts as hanging.",
        least=0.1,
    )
    placement: Literal["auto", "inline", "shared"] = option(
        "auto",
        "Where models run: 'inline' is a copy in each worker, 'shared' one in an engine process for"
        " all of them; 'auto' shares what is large or takes long.",
    )


@dataclass(frozen=True, kw_only=True)
class Memory:
    """How much memory models may take, and when they are loaded."""

    model_memory_bytes: int = option(
        0,
        "Largest memory of all models together, shared equally by the workers, each of which has"
        " its own copy or its part of one that is shared; the least recently used make room. 0 is"
        " no bound.",
        least=0,
    )
    lazy: bool = option(False, "Load each model at its first request, and not at the start.")
    pin: tuple[str, ...] = option(
        (), "The name of a model that is loaded at the start and never makes room; repeatable."
    )
    trial_memory_bytes: int = option(
        0,
        "Largest memory that loading a new version may take before it is given up, for a running"
        " server; 0 is a worker's part of what the machine and the control group can still give.",
        least=0,
    )


@dataclass(frozen=True, kw_only=True)
class Caching:
    """Whether answers are stored, to be given again to the same input."""

    cache: str = option(
        "off",
        "Where: off, memory, which is each worker's own, or the address of a Redis that workers and"
        " machines share (redis://, rediss://, unix://). Programs are cached where their model.toml"
        " says so.",
        secret=True,
    )
    cache_bytes: int = option(
        128 * _MIB, "Largest memory for answers in each worker, with cache = memory.", least=65536
    )
    cache_ttl_s: float = option(
        3600.0, "Seconds that an answer is stored at most.", least=0.001, most=31536000
    )


@dataclass(frozen=True, kw_only=True)
class HttpLimits:
    """What one connection and one request may take."""

    max_body_bytes: int = option(
        100 * _MIB, "Largest body, as sent and as unpacked.", file_only=True, least=1
    )
    max_line_bytes: int = option(8192, "Longest request line.", file_only=True, least=64)
    max_head_bytes: int = option(
        32768, "Largest head: request line and headers.", file_only=True, least=256
    )
    max_headers: int = option(100, "Most headers in one request.", file_only=True, least=8)
    max_connections: int = option(
        8192, "Most connections that a worker holds.", file_only=True, least=1
    )
    head_s: float = option(10.0, "Seconds for a head to arrive.", file_only=True, least=0.1)
    body_s: float = option(60.0, "Seconds for a body to arrive.", file_only=True, least=0.1)
    idle_s: float = option(75.0, "Seconds a connection may be idle.", file_only=True, least=0.1)
    write_s: float = option(
        30.0,
        "Seconds a client may leave an answer unread once the buffers are full.",
        file_only=True,
        least=0.1,
    )
    busy_poll_s: float = option(
        0.0001,
        "Seconds that a worker looks for the next request before it sleeps, while requests come"
        " that fast; 0 is never.",
        file_only=True,
        least=0,
        most=0.01,
    )


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """What models that lie elsewhere (`s3://`, `gs://`, `https://`) may take."""

    fetch_max_bytes: int = option(
        20 * _GIB, "Largest content of one address, in bytes.", file_only=True, least=1
    )
    fetch_s: float = option(
        1800.0, "Seconds that fetching one address may take.", file_only=True, least=0.1
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All groups."""

    server: Server = Server()
    security: Security = Security()
    state: State = State()
    inference: Inference = Inference()
    memory: Memory = Memory()
    caching: Caching = Caching()
    http: HttpLimits = HttpLimits()
    fetching: Fetching = Fetching()

    @classmethod
    def groups(cls) -> dict[str, type]:
        """The groups by name, in the order of the documentation."""
        return {f.name: type(f.default) for f in fields(cls)}
