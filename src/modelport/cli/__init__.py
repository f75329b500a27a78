"""The command line: one module per command; each parses, calls and prints."""

from __future__ import annotations

from modelport.cli.root import app, main

__all__ = ["app", "main"]
