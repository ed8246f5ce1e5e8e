"""The query service put together from the settings."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from edge.key_file import read_key_ring
from services.query.cache import Cache
from services.query.directory import Directory, local_key
from services.query.limits import Limits
from services.query.pieces import Pieces
from services.query.reading import Lake
from services.query.served import Service
from services.query.watermarks import Watermarks
from telemetry.settings import Settings

Now = Callable[[], datetime]
AT_ONCE = 64
log = logging.getLogger(__name__)


def open_service(settings: Settings, now: Now) -> Service:
    """Put the parts together; nothing is read yet."""
    half = settings.query_cache_mb * 1024 * 1024 // 2
    return Service(
        lake=Lake(settings.lake_root, Pieces(half)),
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
    for files in service.lake.tables.values():
        files.listing()
    service.warm.set()


def with_local_key(service: Service, settings: Settings) -> None:
    """Let the key of this home in, where no registry makes keys."""
    service.directory.add_local_key(local_key(settings.query_key_file))
