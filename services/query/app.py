"""The query service's HTTP application."""

from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel

from services.problems import RESPONSES, answer_problems
from services.query.routes import aggregates, latest, series, windows
from services.query.served import Served, Service

MODULES = (series, latest, aggregates, windows)
DESCRIPTION = """\
Readings and windows of devices, thinned to what a screen can show. Ranges are [start, end). Every
answer declares `resolution`, `method`, `points_in`, `points_out`, `tiers`, `truncated` and
`complete_until`."""


class HealthOut(BaseModel):
    """Whether the tables were looked up, and what the caches hold."""

    status: Literal["ok", "starting"]
    versions: dict[str, int]
    cache_bytes: int


def application(parts: Service) -> FastAPI:
    """Return the application over a service's parts."""
    app = FastAPI(
        title="Headwater queries",
        version="1",
        description=DESCRIPTION,
        responses=RESPONSES,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = parts
    answer_problems(app)
    for module in MODULES:
        app.include_router(module.router)
    app.get("/health", tags=["health"], responses={})(show_health)
    return app


def show_health(served: Served) -> HealthOut:
    """Say whether the service is ready."""
    versions = {name: files.known.version for name, files in served.lake.tables.items()}
    status: Literal["ok", "starting"] = "ok" if served.warm.is_set() else "starting"
    return HealthOut(status=status, versions=versions, cache_bytes=served.answers.bytes)
