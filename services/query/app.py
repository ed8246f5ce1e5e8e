"""The query service's HTTP application."""

from http import HTTPStatus

from fastapi import FastAPI
from pydantic import BaseModel

from services.problems import RESPONSES, answer_problems, describe_problems, described, wait
from services.query.examples import give_examples
from services.query.heads import Heads
from services.query.routes import aggregates, latest, live, page, places, series, windows
from services.query.served import Served, Service

MODULES = (series, latest, places, aggregates, windows, live, page)
LIMITED = described(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
DESCRIPTION = """\
Readings and windows of devices, thinned to what a screen can show. Ranges are [start, end). Every
answer declares `resolution`, `method`, `points_in`, `points_out`, `tiers`, `truncated` and
`complete_until`. A parameter that a path does not have is refused by name (422), never ignored."""


class LiveOut(BaseModel):
    """Counts since the start; `viewers` and `watched` as they are now."""

    viewers: int
    refused: int
    watched: int
    """Devices and zones that are followed."""
    reads: int
    """How often files were read for them, however many watch."""
    windows: int
    messages: int
    skipped: int
    """Rows that slow viewers were not sent, for newer ones of the same series."""


class HotOut(BaseModel):
    """What is held of silver's newest files."""

    files: int
    rows: int
    runs: int
    bytes: int
    """Of memory."""
    reads: int
    """How many files were read since the start."""


class HealthOut(BaseModel):
    """The versions of the tables that were seen last, and what the cache holds."""

    status: str
    versions: dict[str, int]
    cache_bytes: int
    hot: HotOut
    live: LiveOut


def application(parts: Service) -> FastAPI:
    """Return the application over a service's parts."""
    app = FastAPI(
        title="Headwater queries",
        version="1",
        description=DESCRIPTION,
        responses=RESPONSES | LIMITED,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = parts
    app.add_middleware(Heads, streams=("/v1/live",))
    answer_problems(app)
    for module in MODULES:
        app.include_router(module.router)
    app.get("/health", tags=["health"], responses={})(show_health)
    describe_problems(app)
    give_examples(app)
    return app


def show_health(served: Served) -> HealthOut:
    """Say whether the service is ready: whether it has looked the tables up, and knows its keys."""
    if not served.warm.is_set():
        raise wait(HTTPStatus.SERVICE_UNAVAILABLE, "the tables are being looked up", 1.0)
    if not served.directory.is_read():
        raise wait(HTTPStatus.SERVICE_UNAVAILABLE, "the registry's keys are being read", 1.0)
    versions = {name: files.known.version for name, files in served.window_tables.items()}
    return HealthOut(
        status="ok",
        versions=versions,
        cache_bytes=served.answers.bytes,
        hot=HotOut(**served.lake.hot.counted()),
        live=LiveOut(**served.live.counted()),
    )
