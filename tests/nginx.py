"""A real nginx for tests: Debian's program, with a configuration and a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["nginx"]

_PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_FRAME = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


@contextmanager
def nginx(folder: Path, servers: str, port: int) -> Iterator[None]:
    """An nginx that listens on the port, ended afterwards; skips where the program is missing.

    Args:
        folder: of its own.
        servers: what stands in `http`.
        port: one of those that it listens on.
    """
    if _PROGRAM is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    user = "user root;" if os.geteuid() == 0 else ""  # who may read the test's folders
    config = folder / "nginx.conf"
    (folder / "error.log").touch()
    config.write_text(_FRAME.format(folder=folder, servers=servers, user=user))
    line = [_PROGRAM, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                told = (folder / "error.log").read_text()
                assert process.poll() is None, told
                assert time.monotonic() < until, told
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)
