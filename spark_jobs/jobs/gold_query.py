"""Gold as the stream application hosts it."""

import logging
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs.alone import Owner
from spark_jobs.jobs.gold import NAME, SOURCES, Gold
from spark_jobs.jobs.query import Figures, Trigger
from spark_jobs.jobs.rate import Rate
from spark_jobs.jobs.unread import unread_rows
from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MARKS_EVERY_S = 5.0
TIDY_EVERY_S = 1800.0


class GoldQuery:
    """The query `gold`; its process owns gold from the first start on."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._checkpoint = settings.checkpoint_dir / NAME
        self._gold = Gold(Lake(settings.lake_root), settings)
        self._lake = Lake(settings.lake_root)
        self._owner = Owner(settings, NAME)
        self._owned = ExitStack()
        self._is_owner = False
        self._rate = Rate()
        self._pause = threading.Event()

    def own(self) -> None:
        """Take the lock of the stream."""
        self._owner.take()

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        """Start behind what is merged, after making again what was marked."""
        if not self._is_owner:
            self._owned.enter_context(GoldFiles(self._checkpoint).owned())
            self._is_owner = True
        self._gold.prepare()
        writer = self._gold.source(spark).writeStream.queryName(NAME)
        located = writer.option("checkpointLocation", str(self._checkpoint))
        each = located.foreachBatch(self._gold.process)
        if trigger == "available-now":
            return each.trigger(availableNow=True).start()
        interval = f"{round(self._settings.gold_trigger_s * 1000)} milliseconds"
        query = each.trigger(processingTime=interval).start()
        threading.Thread(target=self._watch, args=(query,), daemon=True).start()
        return query

    def close(self) -> None:
        """Let another process own gold."""
        self._owned.close()
        self._owner.release()
        self._is_owner = False

    def _watch(self, query: StreamingQuery) -> None:
        """Between batches make marked days again, and delete what is not needed any more."""
        tidied_at = time.monotonic()
        while query.isActive:
            try:
                self._gold.restate()
                if time.monotonic() - tidied_at > TIDY_EVERY_S:
                    tidied_at = time.monotonic()
                    self._gold.tidy()
            except (HeadwaterError, DeltaError, OSError):
                log.exception("gold is not tidied or restated; trying again")
            self._pause.wait(MARKS_EVERY_S)

    def figures(self) -> Figures:
        """Say how far gold is; its lag is readings in silver that it has not read."""
        state = self._gold.state
        known = state.watermarks
        positions = zip(SOURCES, (state.readings, state.late), strict=True)
        marks = {
            product if tenant == "default" else f"{tenant}/{product}": at
            for tenant, product, at in known.select("tenant", "product", "watermark").iter_rows()
        }
        received = known["highest"].max()
        newest = self._gold.newest_event
        return Figures(
            lag_messages=sum(unread_rows(self._lake, table, at) for table, at in positions),
            received_at=_micros(received) if isinstance(received, datetime) else None,
            event_time=_micros(newest) if newest else None,
            watermarks={name: _micros(at) for name, at in marks.items() if at is not None},
            never_final=tuple(name for name, at in marks.items() if at is None),
            rows=dict(self._gold.rows),
            input_rows_per_s=self._rate.of(self._gold.readings, time.monotonic()),
        )


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
