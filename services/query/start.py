"""The query service put together from the settings."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from deltalake.exceptions import DeltaError

from edge.key_file import read_key_ring
from services.directory import Directory, local_key
from services.problems import Problem
from services.query.cache import Cache
from services.query.latest import Latest
from services.query.limits import Limits
from services.query.listing import TableFiles
from services.query.pieces import Pieces
from services.query.reading import Lake
from services.query.served import Service
from services.query.watermarks import Watermarks
from services.query.zones import Zones
from telemetry.settings import Settings
from telemetry.tables import DEVICE_SLIDING, SESSIONS

Now = Callable[[], datetime]
AT_ONCE = 64
KEEP_UP_S, REBUILD_S = 2.0, 900.0
log = logging.getLogger(__name__)


def open_service(settings: Settings, now: Now) -> Service:
    """Put the parts together; nothing is read yet."""
    half = settings.query_cache_mb * 1024 * 1024 // 2
    lake, zones = Lake(settings.lake_root, Pieces(half)), Zones(settings.lake_root)
    others = {
        table.name: TableFiles(settings.lake_root, table) for table in (DEVICE_SLIDING, SESSIONS)
    }
    return Service(
        lake=lake,
        zones=zones,
        window_tables={**lake.tables, **zones.tables, **others},
        latest=Latest(settings.lake_root),
        watermarks=Watermarks(settings.progress_dir),
        directory=_directory(settings),
        limits=Limits(
            settings.query_rate, settings.query_rate * settings.query_burst_s, at_once=AT_ONCE
        ),
        answers=Cache(half),
        now=now,
        warm=threading.Event(),
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


def keep_latest(service: Service, stopping: threading.Event) -> None:
    """Keep the latest values up, and make them anew now and then."""
    rebuilt = time.monotonic()
    while not stopping.is_set():
        try:
            if time.monotonic() - rebuilt > REBUILD_S:
                service.latest.rebuild()
                rebuilt = time.monotonic()
            service.latest.state()
        except (OSError, DeltaError, Problem):
            log.exception("the latest values are not up to date; trying again")
        stopping.wait(KEEP_UP_S)
