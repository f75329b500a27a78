"""What no server can pass: HTTP with a fixed answer."""
