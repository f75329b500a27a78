"""Flask, for gunicorn."""

from __future__ import annotations

from flask import Flask, Response, request

from benchmarks.peers.handlers import from_environment

__all__ = ["create_app"]


def create_app() -> Flask:
    """`POST /predict`: the body as bytes, orjson in place of the slower default JSON."""
    app = Flask("bench")
    form, handle = from_environment()

    @app.post("/predict")
    def predict() -> Response:
        return Response(handle(request.get_data(cache=False)), mimetype=form.media_type)

    return app
