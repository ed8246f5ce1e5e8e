"""Merge the lives of alerts from Kafka into `gold.alerts`: the newest word on each."""

import argparse
import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from typing import Protocol

import polars as pl
from confluent_kafka import Consumer, KafkaException, TopicPartition

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
            with closing(Consumer(_options(settings.kafka_bootstrap))) as consumer:
                return _merge_all(consumer, lake)
        except KafkaException as error:
            raise HeadwaterError(
                f"Kafka at {settings.kafka_bootstrap} does not answer: {error}; the light stack"
                " has no alerts"
            ) from error

    return recorded(lake, "alerts", arguments, work)


def _options(bootstrap: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": bootstrap,
        "group.id": GROUP,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 0,
    }


def _merge_all(consumer: Consumer, lake: Lake) -> Result:
    """Merge up to where the topic ends now; offsets are committed behind each merge."""
    at, ends = _assigned(consumer)
    read, refused, rows = 0, 0, 0
    tries = TRIES
    while any(at[number] < end for number, end in ends.items()):
        records = [one for one in consumer.consume(AT_ONCE, WAIT_S) if one.error() is None]
        at |= {one.partition(): (one.offset() or 0) + 1 for one in records}
        tries = TRIES if records else tries - 1
        if not tries:
            raise HeadwaterError("Kafka holds back records of alerts.history: run the job again")
        if not records:
            continue
        found, wrong = _read(records)
        rows += merge(lake, found)
        read, refused = read + len(records), refused + wrong
        consumer.commit(asynchronous=False)
    tables = {ALERTS.name: {"rows": rows}}
    return {"records": read, "refused": refused, "tables": tables}


def _assigned(consumer: Consumer) -> tuple[dict[int | None, int], dict[int, int]]:
    """Take all partitions from where the last run ended; return where each is and ends now."""
    topic = ALERTS_HISTORY.name
    known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    parts = consumer.committed([TopicPartition(topic, number) for number in known], timeout=10)
    ends = {}
    for part in parts:
        low, high = consumer.get_watermark_offsets(part, timeout=10)
        ends[part.partition] = high
        part.offset = min(max(part.offset, low), high)
    consumer.assign(parts)
    return {part.partition: part.offset for part in parts}, ends


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
