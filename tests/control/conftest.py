"""What tests with the driver of PostgreSQL need."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def closed() -> Iterator[None]:
    """Have the sockets that the driver leaves open closed in the test that is let to."""
    yield
    gc.collect()
