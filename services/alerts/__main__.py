"""Run the alerts service: `python -m services.alerts`; `check FILE` only reads a configuration."""

import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread
import uvicorn
from fastapi import FastAPI

from services.alerts.app import application
from services.alerts.configuration_file import parse_configuration
from services.alerts.consuming import Consuming, consumer
from services.alerts.publishing import KafkaHistory, Publishing
from services.alerts.routing import every_route
from services.alerts.start import Parts, open_service
from services.changes import Changes
from services.changes import consumer as changes_consumer
from services.keep_alive import KEEP_ALIVE_S
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

THREADS = 8
CHECK = "check"
log = logging.getLogger("services.alerts")


def main() -> int:
    """Serve until SIGTERM."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    for chatty in ("alembic", "httpx"):
        # The second tells addresses, which may hold secrets.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    settings = Settings()
    try:
        if sys.argv[1:2] == [CHECK]:
            return check(Path(sys.argv[2]))
        parts = open_service(settings, lambda: datetime.now(UTC))
    except HeadwaterError as error:
        log.error("%s", error)
        return 1
    app = application(parts.service)
    app.router.lifespan_context = _lifespan(parts, settings)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=settings.port("alerts"),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=10,
    )
    return 0


def check(path: Path) -> int:
    """Read a configuration and say what it holds; the error names what to mend."""
    try:
        found = parse_configuration(path.read_bytes(), str(path))
    except (HeadwaterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    routes = sum(1 for _ in every_route(found.route))
    sys.stdout.write(
        f"{path} holds: routes {routes}, people {len(found.people)}, receivers"
        f" {len(found.receivers)}, inhibitions {len(found.inhibit)}\n"
    )
    return 0


def _lifespan(
    parts: Parts, settings: Settings
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[None]:
        # Each thread may hold a connection, and the service is to stay small.
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        bootstrap, engine = settings.kafka_bootstrap, parts.service.engine
        directory = parts.service.directory
        changes = Changes(changes_consumer(bootstrap, "alerts"), directory.apply)
        directory.is_read = changes.caught_up.is_set
        with ExitStack() as ending:
            for part in (
                changes,
                Publishing(engine.turns, KafkaHistory(bootstrap)),
                parts.clockwork,
                Consuming(consumer(bootstrap), engine),
            ):
                part.start()
                ending.callback(part.stop)
            ending.callback(parts.deliveries.stop)
            yield

    return run


if __name__ == "__main__":
    sys.exit(main())
