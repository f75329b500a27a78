"""The listening sockets: one for each worker, all on one port."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import sys

from modelport.core.errors import ConfigError

__all__ = ["listening", "refuse_new_connections", "reserve"]

_SO_ATTACH_FILTER = 26
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load the byte of flags of the TCP header
    (0x45, 0, 1, 0x02),  # where SYN is set, go on, else skip one
    (0x06, 0, 0, 0),  # keep nothing of the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # keep all of it
)
"""As classic BPF instructions: code, jump if true, jump if false, operand."""
_UNSENT_BYTES = 128 * 1024
"""What the kernel holds of an answer beyond what is on its way (`tcp(7)`, TCP_NOTSENT_LOWAT)."""


def reserve(host: str, port: int) -> socket.socket:
    """Hold a port for the workers without listening on it; port 0 picks a free one.

    Raises:
        ConfigError: the port is taken, or the address is not this machine's.
    """
    try:
        # With SO_REUSEPORT two servers of one user would share a port unseen: so a socket without
        # it asks first, and the one that stays has no SO_REUSEADDR, which would let others ask
        # in vain.
        with _bound(host, port, socket.SO_REUSEADDR) as probe:
            free = probe.getsockname()[1]
        return _bound(host, free, socket.SO_REUSEPORT)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"port {port} is taken by another program: choose one with --port"
        elif error.errno == errno.EACCES:
            reason = f"port {port} is reserved for the system: choose one above 1023 with --port"
        else:
            reason = f"cannot listen on {host}: {error.strerror or error}"
        raise ConfigError(reason) from error


def listening(host: str, port: int, backlog: int) -> socket.socket:
    """A socket of this process on a port that `reserve` holds; the kernel spreads connections."""
    sock = _bound(host, port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Inherited by the connections. Without it the kernel takes megabytes of answers for a
        # client that reads none of them, and its requests go on being worked on.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


def refuse_new_connections(sock: socket.socket) -> None:
    """Let a listening socket take no more connections, and keep those that it has.

    Closing a listening socket resets the connections that wait to be accepted. On Linux a socket
    filter drops the segments that ask for more, so that those waiting can be accepted first; the
    ones that end a handshake pass, for that client may have sent a request already. Elsewhere
    nothing happens. Source: Linux kernel documentation, "Linux Socket Filtering".
    """
    if sys.platform != "linux":
        return
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_SYN)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(_DROP_SYN), ctypes.addressof(held))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _bound(host: str, port: int, *options: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
