"""Merge the lives of alerts from Kafka into `gold.alerts`: the newest word on each.

The streams do so every few seconds (`alerts_query`); this job does it where they do not run.
"""

import argparse
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from typing import Protocol

import polars as pl
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from spark_jobs.jobs.job_runs import Result, recorded
from spark_jobs.lake import Lake
from spark_jobs.table_files import Change
from spark_jobs.transforms.alert_lives import lives, merged
from telemetry.alerts_history import AlertLife, HistoryError
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import ALERTS
from telemetry.topics import ALERTS_HISTORY

GROUP = "headwater-alerts-history"
AT_ONCE = 20_000
WAIT_S, TRIES = 1.0, 20
NO_COORDINATOR = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
log = logging.getLogger(__name__)


class Record(Protocol):
    """What is used of a record of Kafka."""

    def partition(self) -> int | None:
        """Its partition."""

    def offset(self) -> int | None:
        """Its place there."""

    def value(self) -> bytes | None:
        """Its bytes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: it goes on where the last run ended."""


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Merge what came since the last run; a run that is broken off is made good by the next."""

    def work(_now: datetime) -> Result:
        try:
            with closing(Consumer(options(settings.kafka_bootstrap))) as consumer:
                return _merge_all(consumer, lake)
        except KafkaException as error:
            raise HeadwaterError(
                f"Kafka at {settings.kafka_bootstrap} does not answer: {error}; the light stack"
                " has no alerts"
            ) from error

    return recorded(lake, "alerts", arguments, work)


def options(bootstrap: str) -> dict[str, str | int | float | bool]:
    """Return how a consumer of the topic is configured."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": GROUP,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "queued.max.messages.kbytes": 8 * 1024,
        "log_level": 0,
    }


def _merge_all(consumer: Consumer, lake: Lake) -> Result:
    """Merge up to where the topic ends now; offsets are committed behind each merge."""
    lives_told = Lives(consumer, lake)
    ends = lives_told.ends()
    tries = TRIES
    while any(lives_told.at[number] < end for number, end in ends.items()):
        tries = TRIES if lives_told.bring() else tries - 1
        if not tries:
            raise HeadwaterError("Kafka holds back records of alerts.history: run the job again")
    tables = {ALERTS.name: {"rows": lives_told.rows}}
    return {"records": lives_told.read, "refused": lives_told.refused, "tables": tables}


def _committed(consumer: Consumer, parts: list[TopicPartition]) -> list[TopicPartition]:
    """Return the group's places; ask again where it has no coordinator yet, as in a new Kafka."""
    for _ in range(TRIES):
        try:
            return consumer.committed(parts, timeout=10)
        except KafkaException as error:
            if error.args[0].code() not in NO_COORDINATOR:
                raise
            time.sleep(WAIT_S)
    return consumer.committed(parts, timeout=10)


class Lives:
    """The topic behind what was merged, whoever merged it: to merge twice changes nothing."""

    def __init__(self, consumer: Consumer, lake: Lake) -> None:
        self._consumer, self._lake = consumer, lake
        topic = ALERTS_HISTORY.name
        known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        parts = _committed(consumer, [TopicPartition(topic, number) for number in known])
        for part in parts:
            low, high = consumer.get_watermark_offsets(part, timeout=10)
            part.offset = min(max(part.offset, low), high)
        consumer.assign(parts)
        self.at = {part.partition: part.offset for part in parts}
        self.read, self.refused, self.rows = 0, 0, 0

    def ends(self) -> dict[int, int]:
        """Ask where each partition ends now."""
        return {number: self._end(number) for number in self.at}

    def _end(self, number: int) -> int:
        part = TopicPartition(ALERTS_HISTORY.name, number)
        return int(self._consumer.get_watermark_offsets(part, timeout=10)[1])

    def bring(self) -> int:
        """Wait a second for records, merge them, commit; return how many they were."""
        records = [one for one in self._consumer.consume(AT_ONCE, WAIT_S) if one.error() is None]
        if not records:
            return 0
        found, wrong = _read(records)
        self.rows += merge(self._lake, found)
        self.at |= {one.partition() or 0: (one.offset() or 0) + 1 for one in records}
        self.read, self.refused = self.read + len(records), self.refused + wrong
        self._consumer.commit(asynchronous=False)
        return len(records)


def _read(records: Iterable[Record]) -> tuple[list[AlertLife], int]:
    found, wrong = [], 0
    for record in records:
        try:
            found.append(AlertLife.from_json(record.value() or b""))
        except HistoryError as error:
            wrong += 1
            log.error("offset %s of %s: %s", record.offset(), record.partition(), error)
    return found, wrong


def merge(lake: Lake, told: Sequence[AlertLife]) -> int:
    """Merge lives by alert: the later `updated_at` wins; return how many rows were written."""
    newest = lives(told)
    if newest.is_empty():
        return 0

    def change(stored: pl.LazyFrame) -> Change | None:
        rows, replaced = merged(stored, newest)
        if rows.is_empty():
            return None
        dates = rows["opened_date"].cast(pl.String).unique().to_list()
        return Change(
            (rows,), replaced, pl.col("partition.opened_date").cast(pl.String).is_in(dates)
        )

    return lake.update(ALERTS, change, None) or 0
