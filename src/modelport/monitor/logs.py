"""What the processes log, and how it looks."""

from __future__ import annotations

import logging
import sys

__all__ = ["configure_logging"]


def configure_logging() -> None:
    """Log warnings and errors to standard error, one line each with time, process and level."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(process)d %(levelname)s %(message)s",
        force=True,
    )
    logging.captureWarnings(True)
