"""`gold.alerts` as the stream application keeps it: seconds behind the alerts service."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer, KafkaException
from pyspark.sql import SparkSession

from spark_jobs.jobs.alerts import Lives, options
from spark_jobs.jobs.query import Figures, Trigger
from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import ALERTS

NAME = "alerts"
PAUSE_S, LONGEST_S = 3.0, 30.0
SHARE = 2.0
"""It rests so many times as long as a round took: a flood of alerts makes fewer, larger merges."""
Round = Callable[[], bool]
log = logging.getLogger(__name__)


class Following:
    """A thread that works in rounds, as its host knows a query of Spark: no memory, no batches."""

    def __init__(self, work: Callable[["Following"], None]) -> None:
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self._rounds = 0
        self._is_busy = False
        self._thread = threading.Thread(target=self._run, args=(work,), name=NAME, daemon=True)
        self._thread.start()

    @property
    def isActive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    @property
    def lastProgress(self) -> Mapping[str, Any] | None:
        """The number of its last round."""
        return {"batchId": self._rounds - 1} if self._rounds else None

    @property
    def status(self) -> Mapping[str, Any]:
        """Whether a round is under way."""
        return {"isTriggerActive": self._is_busy}

    def exception(self) -> Exception | None:
        """Return why it ended."""
        return self._error

    def stop(self) -> None:
        """End after this round."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def awaitTermination(self) -> bool | None:
        """Wait for its end; raise what ended it."""
        self._thread.join()
        if self._error:
            raise self._error
        return True

    def rounds(self, one: Round) -> None:
        """Work until nothing is left to do, or until it is stopped."""
        while not self._stopping.is_set():
            began = time.monotonic()
            self._is_busy = True
            try:
                goes_on = one()
            finally:
                self._is_busy = False
            self._rounds += 1
            if not goes_on:
                return
            self._stopping.wait(pause_s(time.monotonic() - began))

    def _run(self, work: Callable[["Following"], None]) -> None:
        try:
            work(self)
        except Exception as error:
            self._error = error


def pause_s(round_s: float) -> float:
    """Return how long to rest after a round; one that the machine slept through is no flood."""
    return min(LONGEST_S, max(PAUSE_S, SHARE * round_s))


class AlertsQuery:
    """The query `alerts`; it has no lock: to merge a life twice, or by two, changes nothing."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lake = Lake(settings.lake_root)
        self._lag, self._rows = 0, 0
        self._caught_up_us: int | None = None

    def own(self) -> None:
        """Take nothing."""

    def close(self) -> None:
        """Let go of nothing."""

    def start(self, spark: SparkSession, trigger: Trigger) -> Following:
        """Start behind what was merged."""
        return Following(lambda following: self._follow(following, trigger))

    def figures(self) -> Figures:
        """Say how far it is behind the topic's end, and when it was there last."""
        return Figures(
            lag_messages=self._lag,
            received_at=self._caught_up_us,
            rows={ALERTS.name: self._rows},
            input_rows_per_s=0.0,
        )

    def _follow(self, following: Following, trigger: Trigger) -> None:
        try:
            with closing(Consumer(options(self._settings.kafka_bootstrap))) as consumer:
                lives = Lives(consumer, self._lake)
                following.rounds(lambda: self._round(lives, trigger))
        except KafkaException as error:
            raise HeadwaterError(f"no broker answers: {error}") from error

    def _round(self, lives: Lives, trigger: Trigger) -> bool:
        """Merge all that is there; say whether more is to be waited for."""
        before, began_us = lives.rows, time.time_ns() // 1000
        self._lag = _left(lives)
        while self._lag and lives.bring():
            self._lag = _left(lives)
        self._rows += lives.rows - before
        self._caught_up_us = self._caught_up_us if self._lag else began_us
        return trigger == "always" or self._lag > 0


def _left(lives: Lives) -> int:
    return sum(max(0, end - lives.at[number]) for number, end in lives.ends().items())
