"""Write the files that are derived from the code: `python docs/generate.py`.

Reference pages, and the OpenAPI document without models, from which the web application's types
are made (`npm run types` in `ui/`).

A test compares the files with what this makes.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from modelport.core import errors
from modelport.core.errors import ModelportError
from modelport.core.settings import Settings
from modelport.engine.facade import Engine
from modelport.engine.opening import Settings as LoadSettings
from modelport.guard.policy import Policy
from modelport.http.api import api_routes
from modelport.http.errors import STATUS
from modelport.http.live import Live
from modelport.http.openapi import document
from modelport.kit.config import types_of
from modelport.monitor.metrics import ModelMetrics

ROOT = Path(__file__).parents[1]


def made() -> dict[str, str]:
    """The text of each file, by its path from the root."""
    return {
        "docs/reference/settings.md": settings_page(),
        "docs/reference/errors.md": errors_page(),
        "ui/openapi.json": openapi(),
    }


def openapi() -> str:
    """What a server without models says of itself."""
    settings = Settings()
    engine = Engine((), LoadSettings(threads=1, trusted=frozenset(), cache_dir=ROOT))

    async def nobody(*_: object) -> Any:
        raise NotImplementedError("nobody calls")

    routes = api_routes(
        engine=engine,
        settings=settings,
        server_version="0",
        metrics_of=ModelMetrics,
        gather=nobody,
        ask=nobody,
        live=Live(nobody, Policy),
        redeem=nobody,
        policy=Policy,
        is_draining=lambda: False,
    )
    content = document(engine, routes, "Modelport", "0")
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def settings_page() -> str:
    """Every option with its flag, variable, default and help."""
    lines = [
        "# Settings",
        "",
        "In rising precedence: `modelport.toml` (in the current folder, or `--config FILE`), the",
        "environment, flags. An unknown key is an error. Lists are repeated flags, comma-separated",
        "variables, TOML arrays. Besides these, `MODELPORT_STATE_DIR` says where state is kept,",
        "and `MODELPORT_API_KEY` is the client's key.",
    ]
    for group, kind in Settings.groups().items():
        lines += ["", f"## [{group}]", "", str(inspect.getdoc(kind)), ""]
        lines += [
            "| key | flag | variable | type | default | meaning |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        types = types_of(kind)
        for option in fields(kind):
            flag = (
                "" if option.metadata.get("file_only") else f"`--{option.name.replace('_', '-')}`"
            )
            lines.append(
                f"| `{option.name}` | {flag} | `MODELPORT_{option.name.upper()}` |"
                f" {_type(types[option.name])} | {_default(option.default)} |"
                f" {option.metadata['help']} |"
            )
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Every error with its code, status and meaning."""
    lines = [
        "# Errors",
        "",
        'Every error reaches a caller as `{"error": …, "code": …, "detail": …, "request_id": …}`;',
        "callers in Python get the class.",
        "",
        "| class | code | HTTP | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, ModelportError):
            lines.append(f"| `{name}` | `{kind.code}` | {STATUS[kind]} | {inspect.getdoc(kind)} |")
    return "\n".join(lines) + "\n"


def _type(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"list of {_type(get_args(kind)[0])}"
    if get_origin(kind) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(kind))
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}[kind]


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in ((), "") else f"`{value}`"


if __name__ == "__main__":
    for name, text in made().items():
        (ROOT / name).write_text(text, encoding="utf-8")
