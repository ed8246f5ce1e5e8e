"""Be it the driver or workers who read a batch from Kafka and judge it: the tables are the same."""

import logging
import re
import time
from collections.abc import Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pyspark.sql import DataFrame, SparkSession

from edge.outbox import OutRecord
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.jobs.landing_workers import Few
from spark_jobs.kafka_records import Reading
from spark_jobs.lake import Frame, Lake
from spark_jobs.planned_offsets import Span
from spark_jobs.reading_rows import ReadingRows
from spark_jobs.table_files import NOTHING_ALONG, Along
from telemetry.records import record_headers
from telemetry.settings import Settings
from telemetry.tables import READINGS, Table
from telemetry.topics import SPOOL_TOPIC, TELEMETRY
from tests.brokers import Broker
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.landing_fleet import NOW, Fleet, Model, enrol, landed, write_segment

pytestmark = [pytest.mark.spark, pytest.mark.kafka, pytest.mark.timeout(180)]
SIZE = 300
WHO = {
    "driver": Few(),
    "workers": Few(records=SIZE - 1),
    "workers, as the bytes are many": Few(bytes=1000),
    "driver, in parts": Few(messages=1),
}


def landing(home: Path, few: Few) -> tuple[Landing, Lake]:
    enrol(home / "registry")
    settings = Settings(home=home)
    lake = Lake(settings.lake_root)
    create_all(lake)
    return Landing(settings, lake, few=few), lake


def reading(broker: Broker, partition: int, first: int, until: int) -> Reading:
    """Say that they land as the model has it: of the spool's topic, and its partition 0.

    They are read in three goes.
    """
    ends = [first, *(first + (until - first) * n // 3 for n in (1, 2)), until]
    tasks = tuple((Span(partition, *span),) for span in pairwise(ends))
    return Reading(broker.settings.kafka_bootstrap, TELEMETRY.name, SPOOL_TOPIC, tasks)


def send(broker: Broker, records: list[OutRecord], partition: int) -> None:
    producer = Producer({"bootstrap.servers": broker.settings.kafka_bootstrap})
    for key, value, headers in records:
        producer.produce(TELEMETRY.name, value, key, partition, headers=[*headers])
    assert producer.flush(30) == 0


def nothing(spark: SparkSession) -> DataFrame:
    """Return the batch as Spark would bring it, which nobody is to ask for its records."""
    return spark.range(1).selectExpr("raise_error('Spark reads it') as key")


def test_records_that_landing_reads_itself_land_as_the_model_says(
    spark: SparkSession, broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="spark_jobs.jobs.landing_workers")
    fleet, model = Fleet(5), Model()
    landings = {
        who: landing(tmp_path / f"home-{number}", few)
        for number, (who, few) in enumerate(WHO.items())
    }
    for number in range(3):
        # The broker's time is the record's: of another one the header would not be believed.
        now, first = time.time_ns() // 1000, number * SIZE
        records = list(fleet.batch(SIZE, now))
        send(broker, records, 0)
        model.land(records, first, now)
        found = reading(broker, 0, first, first + SIZE)
        for lands, _ in landings.values():
            lands.land(nothing(spark), Txn("landing/1", number), found)
    for who, (lands, lake) in landings.items():
        lands.land(nothing(spark), Txn("landing/1", 2), found)
        assert landed(lake) == model.tables, who
    assert caplog.text.count("of many bytes") == 4


def test_workers_cut_a_batch_of_long_lists_into_parts(
    spark: SparkSession, broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="spark_jobs.jobs.landing")
    count, of_each = 80, 50
    records = [_long_list(number, of_each) for number in range(count)]
    first = end_of(broker, 2)
    send(broker, records, 2)
    lands, lake = landing(tmp_path, Few(records=1, messages=1))
    whole = ((Span(2, first, first + count),),)
    asked = Reading(broker.settings.kafka_bootstrap, TELEMETRY.name, SPOOL_TOPIC, whole)

    for _ in range(2):
        lands.land(nothing(spark), Txn("landing/1", 0), asked)

    seqs = lake.scan(READINGS).select("seq").collect()["seq"].sort().to_list()
    assert seqs == [*range(count * of_each)]
    counts = [int(n) for n in re.findall(r": (\d+) messages, judged in", caplog.text)]
    assert sum(counts) == 2 * count * of_each
    assert max(counts) < count * of_each


def _long_list(number: int, count: int) -> OutRecord:
    """Return a record of some messages, and blanks that fill what workers read at once."""
    each = [b'{"seq":%d,"metrics":{"kwh":1}}' % (number * count + n) for n in range(count)]
    headers = record_headers("meter.d1", received_at=time.time_ns() // 1000, protocol="mqtt")
    return OutRecord(b"meter.d1", b"[%b%b]" % (b" " * 900_000, b",".join(each)), headers)


class CutShort(Lake):
    """Fails once, at the so-manieth commit of silver's readings."""

    left: ClassVar[int] = 0

    def append(
        self,
        table: Table,
        frame: Frame | ReadingRows,
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
        along: Along = NOTHING_ALONG,
    ) -> bool:
        if table is READINGS:
            CutShort.left -= 1
            if CutShort.left == 0:
                raise OSError("the disk is full")
        return super().append(table, frame, txn, info, along)


@pytest.mark.parametrize("is_restarted", [True, False], ids=["restarted", "same process"])
@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_batch_in_parts_that_is_cut_short_in_one_of_them_is_landed_once(
    spark: SparkSession, broker: Broker, tmp_path: Path, fails_at: int, *, is_restarted: bool
) -> None:
    now, model, few = time.time_ns() // 1000, Model(), Few(messages=1)
    records = list(Fleet(7).batch(SIZE, now))
    lands, lake = landing(tmp_path, few)
    lands = Landing(Settings(home=tmp_path), CutShort(lake.root), few=few)
    first = end_of(broker, 0)
    send(broker, records, 0)
    model.land(records, first, now)
    found, txn = reading(broker, 0, first, first + SIZE), Txn("landing/1", 0)
    CutShort.left = fails_at

    with pytest.raises(OSError, match="the disk is full"):
        lands.land(nothing(spark), txn, found)
    if is_restarted:
        lands, _ = landing(tmp_path, few)
    lands.land(nothing(spark), txn, found)

    assert landed(lake) == model.tables
    assert READINGS.name in model.tables


def end_of(broker: Broker, partition: int) -> int:
    """Return the next offset of a partition."""
    with closing(KafkaConsumer(bootstrap_servers=broker.settings.kafka_bootstrap)) as consumer:
        at = TopicPartition(TELEMETRY.name, partition)
        return int(consumer.end_offsets([at])[at])


@pytest.mark.parametrize("who", ["driver", "workers"])
def test_records_in_a_form_that_spark_alone_reads_are_left_to_it(
    spark: SparkSession, broker: Broker, tmp_path: Path, who: str
) -> None:
    records, model = list(Fleet(6).batch(SIZE, NOW)), Model()
    producer = KafkaProducer(bootstrap_servers=broker.settings.kafka_bootstrap)
    sent = [
        producer.send(TELEMETRY.name, b"1", partition=1, headers=[(_Raw("x"), b"1")])
        for _ in records
    ]
    first = sent[0].get(30).offset
    producer.close()
    model.land(records, 0, NOW)

    segment = write_segment(tmp_path / "spool", records, 0, NOW)
    batch = spark.read.schema(RECORDS).parquet(str(segment))
    lands, lake = landing(tmp_path, WHO[who])
    lands.land(batch, Txn("landing/1", 0), reading(broker, 1, first, first + SIZE))
    assert landed(lake) == model.tables


class _Raw(str):
    """The name of a header whose bytes are no text."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"
