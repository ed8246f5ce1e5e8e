"""Scoring as the stream application hosts it."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from edge.alert_topic import AlertTopic
from edge.outboxes import stack_mode
from edge.rule_files import RuleFiles
from spark_jobs.jobs.alone import Owner
from spark_jobs.jobs.passed_moments import PassedMoments
from spark_jobs.jobs.progress_files import read_progress
from spark_jobs.jobs.query import Figures, Trigger
from spark_jobs.jobs.rate import Rate
from spark_jobs.jobs.scoring import NAME, AlertSink, Scoring
from spark_jobs.jobs.unread import read_until, unread_rows
from spark_jobs.lake import Lake
from telemetry.alerts import Alert
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import ANOMALIES, READINGS

LOOK_EVERY_S = 2.0
REMIND_EVERY_S = 3600.0
log = logging.getLogger(__name__)


class TableAlone:
    """Where there is no Kafka: alarms are in `gold.anomalies`, and nobody else is told."""

    def tell(self, _alerts: Sequence[Alert]) -> None:
        """Tell nobody."""


def open_sink(settings: Settings) -> AlertSink:
    """Return where alerts of this stack go."""
    return TableAlone() if stack_mode(settings) == "light" else AlertTopic(settings.kafka_bootstrap)


def is_wanted(settings: Settings) -> bool:
    """Say whether a rule is on; one that cannot be read is nobody's wish."""
    try:
        return any(kept.is_on for kept in RuleFiles(settings.registry_dir).readable())
    except (HeadwaterError, OSError):
        return False


class ScoringQuery:
    """The query `scoring`; its process owns what rules remember from the first start on."""

    name = NAME

    def __init__(self, settings: Settings, sink: AlertSink | None = None) -> None:
        self._settings = settings
        self._sink = sink or open_sink(settings)
        self._scoring = Scoring(Lake(settings.lake_root), settings, self._sink)
        self._lake = Lake(settings.lake_root)
        self._rate = Rate()
        self._moments = PassedMoments[str]()
        self._owner = Owner(settings, NAME)
        self._pause = threading.Event()
        self._trigger: Trigger | None = None

    def own(self) -> None:
        """Take the lock of the stream."""
        self._owner.take()

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        """Start behind what was looked at."""
        self._scoring.prepare()
        writer = self._scoring.source(spark).writeStream.queryName(NAME)
        located = writer.option("checkpointLocation", str(self._settings.checkpoint_dir / NAME))
        each = located.foreachBatch(self._scoring.process)
        self._trigger = trigger
        if trigger == "available-now":
            return each.trigger(availableNow=True).start()
        interval = f"{round(self._settings.gold_trigger_s * 1000)} milliseconds"
        query = each.trigger(processingTime=interval).start()
        threading.Thread(target=self._watch, args=(query,), daemon=True).start()
        return query

    def close(self) -> None:
        """Let another process own it; a scheduled run looks for silence before it ends."""
        if self._trigger == "available-now":
            self._look_after()
        self._owner.release()

    def _watch(self, query: StreamingQuery) -> None:
        """Between batches take up changed rules, and find who has fallen silent."""
        while query.isActive:
            self._look_after()
            self._pause.wait(LOOK_EVERY_S)

    def _look_after(self) -> None:
        try:
            self._scoring.look_after(heard_until=self._heard_until())
            self._remind()
        except (HeadwaterError, DeltaError, OSError):
            log.exception("rules are not looked after; trying again")

    def _remind(self) -> None:
        """Tell again each hour what lasts: of what nobody speaks for long is taken to be over."""
        path = self._settings.checkpoint_dir / f"{NAME}.reminded"
        since = time.time() - (path.stat().st_mtime if path.exists() else 0.0)
        if 0 <= since < REMIND_EVERY_S:
            return
        if alerts := self._scoring.lasting():
            self._sink.tell(alerts)
        path.touch()

    def _heard_until(self) -> int | None:
        """Return up to when silence is the devices': all that had come by then was looked at.

        In microseconds, None where nobody says so. There may always be more that has just come.
        """
        with suppress(TypeError, KeyError):
            said = self._landed() or {}
            if said["state"] in ("running", "stopped") and said["landed_until"] is not None:
                # What is landed by now is in silver as it is now.
                landed_until = float(said["landed_until"])
                end = self._lake.table(READINGS).version() + 1
                self._moments.look(landed_until, {READINGS.name: end})
        read = read_until(self._lake, READINGS, self._scoring.state.readings)
        moment = self._moments.passed({READINGS.name: read})
        return None if moment is None else round(moment * 1_000_000)

    def _landed(self) -> Mapping[str, Any] | None:
        with suppress(HeadwaterError):
            name = "landing_spool" if stack_mode(self._settings) == "light" else "landing"
            return read_progress(self._settings.progress_dir / f"{name}.json")
        return None

    def _unread(self) -> int:
        return unread_rows(self._lake, READINGS, self._scoring.state.readings)

    def figures(self) -> Figures:
        """Say how far scoring is; its lag is readings in silver that it has not looked at."""
        received = self._scoring.newest_received
        return Figures(
            lag_messages=self._unread(),
            received_at=received,
            event_time=None,
            rows={ANOMALIES.name: self._scoring.found},
            input_rows_per_s=self._rate.of(self._scoring.readings, time.monotonic()),
        )
