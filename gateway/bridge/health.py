"""What the bridge tells of itself over HTTP: whether messages come through, and its counters."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI, Response
from hypercorn.asyncio import serve
from hypercorn.config import Config

from gateway.counters import Counters

Complain = Callable[[], str | None]


def health_app(complain: Complain, counters: Counters) -> FastAPI:
    """Return the application; it answers 200 in any case, and says what is amiss."""
    app = FastAPI(title="Headwater bridge", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> dict[str, str | None]:
        complaint = complain()
        return {"state": "degraded" if complaint else "running", "complaint": complaint}

    @app.get("/metrics")
    async def metrics() -> Response:
        text = counters.exposition()
        return Response(text, media_type="text/plain; version=0.0.4")

    return app


class HealthPage:
    """Serves the application on this machine alone, until closed."""

    def __init__(self, app: FastAPI, port: int) -> None:
        self._stopped = asyncio.Event()
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.accesslog = config.errorlog = None
        config.include_server_header = False
        config.graceful_timeout = 1
        self._serving = asyncio.create_task(
            serve(app, config, shutdown_trigger=self._stopped.wait)  # type: ignore[arg-type]
        )

    async def close(self) -> None:
        """Stop."""
        self._stopped.set()
        await self._serving
