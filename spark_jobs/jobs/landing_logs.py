"""Keeps what landing writes short: logs, so that commits stay quick, and files that are past."""

import logging
import time
from collections.abc import Iterator

from deltalake.exceptions import DeltaError

from spark_jobs.gold_state import GoldFiles, Position
from spark_jobs.jobs.gold import NAME as GOLD
from spark_jobs.jobs.scoring import NAME as SCORING
from spark_jobs.jobs.scoring_query import is_wanted
from spark_jobs.lake import Lake
from spark_jobs.log_files import trim
from spark_jobs.pins import Pins
from spark_jobs.schema import REWRITTEN_HOURS
from spark_jobs.scoring_state import ScoringFiles
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import (
    CONFLICTS,
    DEVICES,
    DUPLICATES,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
    Table,
)

LANDED = (MESSAGES, READINGS, REJECTED, LATE, DUPLICATES, CONFLICTS)
KEPT, KEPT_OF_MANY = 4_000, 1_000
"""Versions; at one a second so many that an hourly job finds the one it saw last. Where there are
more a second each has to be cheap."""
MANY_S = 0.5
MARGIN = 200
"""Versions before a stream's own place: Spark may go back by a batch."""
EVERY_S = 60.0
TIDIED_EVERY = 30
"""Times; what is deleted then has been past for an hour."""
log = logging.getLogger(__name__)


class LandingLogs:
    """Belongs to the one process that lands."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        *,
        kept: int | None = None,
        margin: int = MARGIN,
        every_s: float = EVERY_S,
    ) -> None:
        self._settings, self._lake, self._pins = settings, lake, Pins(settings)
        usual = KEPT if settings.landing_trigger_s >= MANY_S else KEPT_OF_MANY
        self._kept, self._margin = usual if kept is None else kept, margin
        self._every_s = every_s
        self._at, self._times = time.monotonic(), 0

    def trim_if_due(self) -> None:
        """Trim from time to time, between two batches, none of which may fail by it."""
        if time.monotonic() - self._at < self._every_s:
            return
        self._at = time.monotonic()
        try:
            self.trim()
            if self._times % TIDIED_EVERY == 0:
                self.tidy()
            self._times += 1
        except (DeltaError, OSError) as error:
            log.warning("old entries of logs stay for now: %s", error)

    def tidy(self) -> None:
        """Delete files of `dim.devices` that a change of the registry replaced an hour ago.

        Each change writes the table anew: a fleet whose devices change one by one, as in a rollout
        of firmware, would fill the disk in a day.
        """
        if not self._pins.is_read(DEVICES):
            self._lake.vacuum(DEVICES, REWRITTEN_HOURS)

    def trim(self) -> None:
        """Delete what is beyond the newest versions and what somebody has still to read."""
        for table in LANDED:
            keep_from = min([self._lake.table(table).version() - self._kept, *self._unread(table)])
            if keep_from > 0 and (entries := trim(self._lake.table(table), keep_from)):
                log.info("%s: %d old entries of the log deleted", table.name, entries)

    def _unread(self, table: Table) -> Iterator[int]:
        try:
            yield from self._pins.of(table)
            if table in (READINGS, LATE):
                yield from [at.version - self._margin for at in self._positions(table)]
        except (HeadwaterError, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("old entries of logs stay, a reader's place is not known: %s", error)
            yield 0

    def _positions(self, table: Table) -> Iterator[Position]:
        """Yield how far each stream over a table has come.

        Rules that are all off do not come further: once one is on again they begin anew.
        """
        gold = GoldFiles(self._settings.checkpoint_dir / GOLD).state()
        if gold is not None:
            yield gold.readings if table is READINGS else gold.late
        if table is READINGS and is_wanted(self._settings):
            scoring = ScoringFiles(self._settings.checkpoint_dir / SCORING).position()
            if scoring is not None:
                yield scoring
