"""Run the query service: `python -m services.query`."""

import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from datetime import UTC, datetime

import anyio.to_thread
import pyarrow as pa
import uvicorn
from fastapi import FastAPI

from edge.outboxes import stack_mode
from services.changes import Changes, consumer
from services.query.app import application
from services.query.served import Service
from services.query.start import configured, follow, open_service, with_local_key
from services.query.without_pandas import go_without_pandas
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

THREADS = 8
COLLECT_AFTER = 50_000
log = logging.getLogger("services.query")


def main() -> int:
    """Serve until SIGTERM."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    # Arrow's own pool keeps what it once had: 50 MB more, and no quicker.
    pa.set_memory_pool(pa.system_memory_pool())
    go_without_pandas()
    settings = Settings()
    try:
        service = open_service(settings, lambda: datetime.now(UTC))
        changes = _changes(service, settings)
    except HeadwaterError as error:
        log.error("%s", error)
        return 1
    app = application(service)
    app.router.lifespan_context = _lifespan(service, changes)
    gc.set_threshold(COLLECT_AFTER, 50, 100)
    server = uvicorn.Server(configured(app, settings.query_host, settings.port("query")))
    service.live.is_over = lambda: server.should_exit
    server.run()
    return 0


def _changes(service: Service, settings: Settings) -> Changes | None:
    """Hear of keys from the registry; where there is none, let the key of the home in."""
    if stack_mode(settings) == "full":
        changes = Changes(consumer(settings.kafka_bootstrap, "query"), service.directory.apply)
        service.directory.is_read = changes.caught_up.is_set
        return changes
    with_local_key(service, settings)
    return None


def _lifespan(
    service: Service, changes: Changes | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        stopping = threading.Event()
        with ExitStack() as ending:
            if changes:
                changes.start()
                ending.callback(changes.stop)
            ending.callback(service.live.follower.woken.set)
            ending.callback(stopping.set)
            threading.Thread(target=follow, args=(service, stopping), daemon=True).start()
            yield

    return run


if __name__ == "__main__":
    sys.exit(main())
