"""Run the registry: `python -m services.registry`."""

import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import anyio.to_thread
import uvicorn
from fastapi import FastAPI

from services.keep_alive import KEEP_ALIVE_S
from services.registry.app import application
from services.registry.start import Parts, open_registry
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

THREADS = 8
log = logging.getLogger("services.registry")


def main() -> int:
    """Serve until SIGTERM."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = Settings()
    try:
        with_kafka = "--without-kafka" not in sys.argv
        parts = open_registry(settings, lambda: datetime.now(UTC), with_kafka=with_kafka)
    except HeadwaterError as error:
        log.error("%s", error)
        return 1
    app = application(parts.registry)
    app.router.lifespan_context = _lifespan(parts)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=settings.port("registry"),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=10,
    )
    return 0


def _lifespan(parts: Parts) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[None]:
        # Each thread may hold a connection, and the registry is to stay small.
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        parts.follower.start()
        yield
        parts.follower.stop()

    return run


if __name__ == "__main__":
    sys.exit(main())
