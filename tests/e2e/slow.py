"""A model that takes as long as it is told, and shows when it was stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path


async def slow(seconds: float, marker: str) -> float:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.to_thread(Path(marker).touch)
        raise
    return seconds
