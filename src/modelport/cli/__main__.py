"""`python -m modelport.cli`: the command without its script."""

from __future__ import annotations

from modelport.cli import main

if __name__ == "__main__":
    main()
