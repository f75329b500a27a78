"""What the Open Inference Protocol tells about the server and its models.

The configuration and the statistics are Triton's extensions of those names.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelport.core.signature import TensorSpec, sizes
from modelport.core.tensors import DType
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import Version
from modelport.engine.opening import Described
from modelport.guard.policy import Permission
from modelport.http.health import Gather
from modelport.http.routes import Endpoint, Route
from modelport.monitor.metrics import Histogram, ModelMetrics, Report
from modelport.semantics.fields import PlainView

__all__ = ["metadata_routes"]

_EXTENSIONS = [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
]
_STATS = "stats"
_CONFIG_TYPES = {DType.BYTES: "TYPE_STRING"}


def metadata_routes(
    engine: Engine, gather: Gather, timeout_s: float, server_version: str
) -> list[Route]:
    """The routes under `/v2` that run no model; what was never in memory is loaded for them."""

    async def known(version: Version) -> Described:
        return await engine.describe(version, time.monotonic() + timeout_s)

    async def server(request: Request) -> Response:
        return JSONResponse(
            {"name": "modelport", "version": server_version, "extensions": _EXTENSIONS}
        )

    async def model(request: Request) -> Response:
        return await metadata(_version(engine, request))

    async def metadata(version: Version) -> Response:
        return JSONResponse(_metadata(engine, version, await known(version)))

    async def model_ready(request: Request) -> Response:
        version = _version(engine, request)
        is_ready = version.is_served
        body = {"name": version.name, "ready": is_ready}
        return JSONResponse(body, 200 if is_ready else 503)

    async def config(request: Request) -> Response:
        version = _version(engine, request)
        return JSONResponse(_config(engine, version, await known(version)))

    async def statistics(request: Request) -> Response:
        versions = [_version(engine, request)] if "name" in request.path_params else engine.versions
        gathered = await gather()
        return JSONResponse({"model_stats": [_statistics(v, gathered.report) for v in versions]})

    async def all_statistics(request: Request) -> Response:
        # Triton's address for all of them is also that of a model with this name, which has no
        # other; the statistics are then found at each model's own.
        if _STATS in engine.names:
            return await metadata(engine.find(_STATS))
        return await statistics(request)

    routes = [_get("/v2", server), _get(f"/v2/models/{_STATS}", all_statistics)]
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        routes += [
            _get(base, model),
            _get(f"{base}/ready", model_ready),
            _get(f"{base}/config", config),
            _get(f"{base}/stats", statistics),
        ]
    return routes


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(method="GET", path=path, permission=Permission.READ, endpoint=endpoint)


def _version(engine: Engine, request: Request) -> Version:
    return engine.find(request.path_params["name"], request.path_params.get("version"))


def _metadata(engine: Engine, version: Version, known: Described) -> dict[str, Any]:
    return {
        "name": version.name,
        "versions": [v.version for v in engine.versions if v.name == version.name],
        "platform": known.description.runtime,
        "inputs": _tensors(known.description.signature.inputs),
        "outputs": _tensors(known.description.signature.outputs),
    } | _sources(known.view)


def _sources(view: PlainView) -> dict[str, Any]:
    """What may be sent in place of some of the inputs; a model without such says nothing of it."""
    sources = list(view.sources.values())
    described = [
        {**tensor, "kind": field.kind, "replaces": list(field.source_of)}
        for field, tensor in zip(sources, _tensors(field.tensor for field in sources), strict=True)
    ]
    return {"sources": described} if described else {}


def _tensors(specs: Iterable[TensorSpec]) -> list[dict[str, Any]]:
    return [
        {"name": spec.name, "datatype": spec.dtype.value, "shape": sizes(spec.shape)}
        for spec in specs
    ]


def _config(engine: Engine, version: Version, known: Described) -> dict[str, Any]:
    signature = known.description.signature
    rows = engine.batch_rows(version)

    optional = {n for n, m in known.semantics.inputs.items() if m.mask_of is not None}

    def tensors(specs: Iterable[TensorSpec]) -> list[dict[str, Any]]:
        return [
            {
                "name": spec.name,
                "data_type": _CONFIG_TYPES.get(spec.dtype, f"TYPE_{spec.dtype.value}"),
                # With a largest batch, shapes are those of a row; without, they are whole.
                "dims": sizes(spec.row_shape if rows else spec.shape),
                **({"optional": True} if spec.name in optional else {}),
            }
            for spec in specs
        ]

    return {
        "name": version.name,
        "platform": known.description.runtime,
        "backend": "modelport",
        "max_batch_size": rows,
        "input": tensors(signature.inputs),
        "output": tensors(signature.outputs),
    }


def _statistics(version: Version, report: Report) -> dict[str, Any]:
    own = [m for m in report.models if (m.model, m.version) == (version.name, version.version)]
    failed = sum(sum(m.errors.values()) for m in own)
    return {
        "name": version.name,
        "version": version.version,
        "inference_count": sum(m.rows for m in own),
        "execution_count": round(sum(m.batches for m in own)),
        "inference_stats": {
            "success": _duration(own, "total"),
            "fail": {"count": failed, "ns": 0},
            "queue": _duration(own, "queue"),
            "compute_input": _duration(own, "decode"),
            "compute_infer": _duration(own, "run"),
            "compute_output": _duration(own, "encode"),
        },
        "batch_stats": [],
    }


def _duration(metrics: Iterable[ModelMetrics], stage: str) -> dict[str, int]:
    histograms: list[Histogram] = [m.stages[stage] for m in metrics]
    return {
        "count": sum(sum(h.counts) for h in histograms),
        "ns": round(sum(h.total for h in histograms) * 1e9),
    }
