"""FastAPI, for uvicorn."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from benchmarks.peers.handlers import from_environment

__all__ = ["create_app"]


def create_app() -> FastAPI:
    """`POST /predict` in FastAPI's fastest way: no pydantic model, orjson, threads where needed."""
    form, handle = from_environment()
    app = FastAPI(openapi_url=None)

    async def light(request: Request) -> Response:
        return Response(handle(await request.body()), media_type=form.media_type)

    # uvicorn's workers share one listening socket, and one of them may accept every connection:
    # without threads it then computes alone, on one core, and its event loop stands still.
    async def heavy(request: Request) -> Response:
        content = await run_in_threadpool(handle, await request.body())
        return Response(content, media_type=form.media_type)

    app.post("/predict")(heavy if form.heavy else light)
    return app
