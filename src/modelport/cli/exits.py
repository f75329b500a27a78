"""Exit codes: what a script can tell from how a command ended."""

from __future__ import annotations

from modelport.core.errors import ConfigError, InvalidInput, LoadError, ModelportError

__all__ = ["EXIT_CODES", "exit_code"]

EXIT_CODES: dict[type[ModelportError], int] = {ConfigError: 2, LoadError: 3, InvalidInput: 4}
"""By the kind of error; any other is 1."""


def exit_code(error: ModelportError) -> int:
    """The exit code of an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
