"""Be it the driver or workers who read a batch from Kafka and judge it: the tables are the same."""

import logging
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer
from pyspark.sql import DataFrame, SparkSession

from edge.outbox import OutRecord
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.jobs.landing_workers import Few
from spark_jobs.kafka_records import Reading
from spark_jobs.lake import Lake
from spark_jobs.planned_offsets import Span
from telemetry.settings import Settings
from telemetry.topics import SPOOL_TOPIC, TELEMETRY
from tests.brokers import Broker
from tests.spark_jobs.landing_fleet import NOW, Fleet, Model, enrol, landed, write_segment

pytestmark = [pytest.mark.spark, pytest.mark.kafka, pytest.mark.timeout(180)]
SIZE = 300
WHO = {
    "driver": Few(),
    "workers": Few(records=SIZE - 1),
    "workers, as the bytes are many": Few(bytes=1000),
}


def landing(home: Path, few: Few) -> tuple[Landing, Lake]:
    enrol(home / "registry")
    settings = Settings(home=home)
    lake = Lake(settings.lake_root)
    lake.create_all()
    return Landing(settings, lake, few=few), lake


def reading(broker: Broker, partition: int, first: int, until: int) -> Reading:
    """Say that they land as the model has it: of the spool's topic, and its partition 0."""
    tasks = ((Span(partition, first, until),),)
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
        who: landing(tmp_path / str(few.records + few.bytes), few) for who, few in WHO.items()
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
