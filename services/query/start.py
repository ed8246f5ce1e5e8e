"""The query service put together from the settings."""

import ctypes
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import uvicorn
from deltalake.exceptions import DeltaError
from fastapi import FastAPI

from edge.key_file import read_key_ring
from services.directory import Directory, local_key
from services.keep_alive import KEEP_ALIVE_S
from services.problems import Problem
from services.query.cache import Cache
from services.query.hot.tier import Bounds
from services.query.latest import Latest
from services.query.limits import Limits
from services.query.listing import TableFiles
from services.query.live.follower import Follower
from services.query.live.seats import Seats
from services.query.live.serving import Live
from services.query.pieces import MOST_RAW_ROWS, Pieces
from services.query.reading import Lake
from services.query.served import Service
from services.query.watermarks import Watermarks
from services.query.zones import Zones
from telemetry.settings import Settings
from telemetry.tables import DEVICE_SLIDING, DEVICES, SESSIONS

Now = Callable[[], datetime]
AT_ONCE = 64
FOLLOW_S, KEEP_UP_S, REBUILD_S = 0.2, 2.0, 900.0
HOT_S, BETWEEN_S, GIVE_BACK_S = 1.0, 0.01, 10.0
FIRST_LOOK_S = 2.0
"""Who asks a service that has just started has the cores and the disk alone: the latest values are
read after that, or when somebody asks for them."""
log = logging.getLogger(__name__)


def open_service(
    settings: Settings, now: Now, *, most_raw_rows: int = MOST_RAW_ROWS, at_once: int = AT_ONCE
) -> Service:
    """Put the parts together; nothing is read yet."""
    half = settings.query_cache_mb * 1024 * 1024 // 2
    lake = Lake(settings.lake_root, Pieces(half, most_raw_rows), _bounds(settings))
    zones = Zones(settings.lake_root)
    others = {
        table.name: TableFiles(settings.lake_root, table) for table in (DEVICE_SLIDING, SESSIONS)
    }
    devices = {DEVICES.name: TableFiles(settings.lake_root, DEVICES)}
    watermarks = Watermarks(settings.progress_dir)
    latest = Latest(lake.tables | devices, lake.hot, lambda: watermarks.now().taken_ms)
    follower = Follower(latest, {**lake.tables, **zones.tables}, watermarks.now)
    seats = Seats(settings.query_live_viewers, settings.query_live_viewers_of_one)
    return Service(
        lake=lake,
        zones=zones,
        window_tables={**lake.tables, **zones.tables, **others},
        latest=latest,
        watermarks=watermarks,
        directory=_directory(settings),
        limits=Limits(
            settings.query_rate, settings.query_rate * settings.query_burst_s, at_once=at_once
        ),
        answers=Cache(half),
        now=now,
        warm=threading.Event(),
        live=Live(follower, seats),
        web_dir=settings.web_dir,
    )


def _bounds(settings: Settings) -> Bounds:
    megabyte, folder = 1024 * 1024, settings.query_key_file.parent
    return Bounds(
        settings.query_hot_mb * megabyte,
        settings.query_hot_disk_mb * megabyte,
        folder if settings.query_hot_disk_mb else None,
    )


def _directory(settings: Settings) -> Directory:
    path = settings.registry_key_file
    return Directory(read_key_ring(path) if path.exists() else None)


def warm_up(service: Service) -> None:
    """Look up every table, so that the first question finds them known."""
    for files in service.window_tables.values():
        files.listing()
    service.warm.set()


def with_local_key(service: Service, settings: Settings) -> None:
    """Let the key of this home in, where no registry makes keys."""
    service.directory.add_local_key(local_key(settings.query_key_file))


def follow(service: Service, stopping: threading.Event) -> None:
    """Look up the tables before the first question, then keep up with them."""
    while not stopping.is_set():
        try:
            warm_up(service)
            break
        except Exception:
            # Half a lake, such as one that is being restored: it is ready once it can be read.
            log.exception("the tables cannot be read; trying again")
            stopping.wait(2.0)
    threading.Thread(target=keep_hot, args=(service, stopping), daemon=True).start()
    keep_up(service, stopping)


def keep_up(service: Service, stopping: threading.Event) -> None:
    """Follow the tables: at once for those who watch, now and then where nobody does."""
    rebuilt, live = time.monotonic(), service.live
    live.follower.woken.wait(FIRST_LOOK_S)
    while not stopping.is_set():
        try:
            if time.monotonic() - rebuilt > REBUILD_S:
                service.latest.rebuild()
                rebuilt = time.monotonic()
            live.follower.step()
        except Problem as problem:
            log.info("the latest values are not up to date: %s; trying again", problem)
        except (OSError, DeltaError):
            log.exception("the latest values are not up to date; trying again")
        live.follower.woken.clear()
        stopping.wait(FOLLOW_S) if live.seats.taken else live.follower.woken.wait(KEEP_UP_S)


def keep_hot(service: Service, stopping: threading.Event) -> None:
    """Keep silver's newest files by series, as they come."""
    stopping.wait(FIRST_LOOK_S)
    given_back = 0.0
    while not stopping.is_set():
        pause_s = HOT_S
        try:
            if service.lake.hot.step():
                pause_s = BETWEEN_S
        except (OSError, DeltaError):
            log.exception("the newest readings are not kept; trying again")
        if time.monotonic() - given_back > GIVE_BACK_S:
            give_back()
            given_back = time.monotonic()
        stopping.wait(pause_s)


def give_back() -> None:
    """Hand free memory to the system: allocators keep what is free between pieces in use.

    To have each large piece given back as it is freed would double what a question costs.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def configured(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """Return how the application is served."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        # Viewers have nothing to say.
        ws_max_size=1024,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=10,
    )
