"""What libraries print to standard error before anybody can tell them not to."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_banners"]

_BANNER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} \d\d:\d\d:|INFO: |To enable "
)
_STDERR = 2
_one_at_a_time = threading.Lock()


@contextmanager
def quiet_banners() -> Iterator[None]:
    """Leave out notices of C++ libraries; everything else is written when the block ends.

    They go past Python's `sys.stderr`, so that the descriptor itself is turned away meanwhile.
    """
    with _one_at_a_time, tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        kept = os.dup(_STDERR)
        os.dup2(file.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, _STDERR)
            os.close(kept)
            file.seek(0)
            for line in file:
                if not _BANNER.match(line):
                    os.write(_STDERR, line)
