"""HTTP: one connection class on uvicorn's server, one file per protocol."""
