"""The alerts service put together from the settings, and its clockwork."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from edge.key_file import read_key_ring
from services.alerts.channels.opening import Secrets, open_sink
from services.alerts.configuration_file import ConfigurationError, read_configuration
from services.alerts.delivering import Deliveries
from services.alerts.engine import Engine
from services.alerts.forgetting import forget
from services.alerts.served import Service
from services.database import open_database
from services.directory import Directory
from telemetry.settings import Settings

Now = Callable[[], datetime]
TICK_S = 0.5
FORGET_EVERY = timedelta(hours=6)
LOCK = 5271010
GONE = "put it back, or one of `route: {}` where nobody is to be told"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs."""

    service: Service
    deliveries: Deliveries
    clockwork: "Clockwork"


def open_service(settings: Settings, now: Now) -> Parts:
    """Open the database and put the parts together; nothing runs yet."""
    path = settings.alerts_configuration
    configuration = read_configuration(path)
    database = open_database(settings.alerts_database_url, "alerts", lock=LOCK)
    woken: list[Deliveries] = []

    def wake(receivers: set[str]) -> None:
        for each in woken:
            each.wake(receivers)

    engine = Engine(database, configuration, now, wake)
    deliveries = Deliveries(partial(open_sink, secrets=Secrets(settings)), engine.turns, now)
    woken.append(deliveries)
    keys = settings.registry_key_file
    directory = Directory(read_key_ring(keys) if keys.exists() else None, "alerts")
    service = Service(engine, directory)
    return Parts(service, deliveries, Clockwork(service, deliveries, path))


class Clockwork:
    """The thread that does what is due, and takes up the configuration when its file changes."""

    def __init__(self, service: Service, deliveries: Deliveries, path: Path) -> None:
        self._service, self._deliveries, self._path = service, deliveries, path
        self._seen = _stamp(path)
        self._forgot: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clockwork", daemon=True)

    def start(self) -> None:
        """Begin, with whatever was left to deliver."""
        self._deliveries.configure(self._service.engine.configuration)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stopping.wait(TICK_S):
            try:
                self.take_up()
                self._service.engine.tick()
                self._forget()
            except SQLAlchemyError as error:
                log.error("the database fails: %s", str(error).partition("\n")[0])
            except Exception:
                log.exception("what is due cannot be done; trying again")

    def take_up(self) -> None:
        """Take up a changed file; one that does not hold leaves all as it was, and is told."""
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            if stamp is None:
                # Half of an exchange, maybe; without it nobody would hear of what waits.
                raise ConfigurationError(f"{self._path} is gone: {GONE}")
            configuration = read_configuration(self._path)
        except ConfigurationError as error:
            log.error("the last configuration holds on: %s", error)
            self._service.complaint = str(error)
            return
        self._service.complaint = None
        self._service.engine.configure(configuration)
        self._deliveries.configure(configuration)
        log.info("configuration %s is in force", configuration.digest)

    def _forget(self) -> None:
        now = self._service.engine.now()
        if self._forgot is None or now - self._forgot >= FORGET_EVERY:
            self._forgot = now
            forget(self._service.engine.turns, now)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
