"""Somebody who asks a real server with the admin token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.app.servers import Served


class Owner(httpx.Client):
    """Somebody with the admin token."""

    def __init__(self, served: Served, state: Path) -> None:
        token = (state / "admin-token").read_text().strip()
        super().__init__(
            base_url=served.url, headers={"authorization": f"Bearer {token}"}, timeout=30
        )

    def overview(self) -> dict[str, Any]:
        return dict(self.get("/server/overview").raise_for_status().json())

    def traffic(self, model: str = "linear", version: str = "1") -> dict[str, Any]:
        (found,) = (
            m for m in self.overview()["models"] if (m["name"], m["version"]) == (model, version)
        )
        return dict(found)
