"""Judges records of bronze anew: few of them in this process, many by Spark."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.jobs.landing_workers import RECORD_COLUMNS, judge_on_worker
from spark_jobs.lake import Lake
from spark_jobs.schema import TIMESTAMP
from spark_jobs.session import session
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import judged
from spark_jobs.transforms.judgement import PACK, Judgement, as_one, unpacked
from spark_jobs.transforms.spans import Span
from telemetry.settings import Settings
from telemetry.tables import MESSAGES

BATCH = 20_000
RECORD = pa.schema(
    [
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("timestamp", TIMESTAMP),
        pa.field("headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    ]
)
"""A record as Spark's sources show it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one version of bronze: received within a span, appended within another."""

    version: int
    received: Span
    appended: Span


Judge = Callable[[Piece, Fleet], Judgement]
"""Judges a piece of bronze."""


def judged_here(records: pl.DataFrame, fleet: Fleet, *, tolerance_us: int) -> Judgement:
    """Judge rows of bronze in this process."""
    shown = records.rename({"kafka_key": "key", "kafka_time": "timestamp"})
    batches = shown.select(RECORD.names).to_arrow().cast(RECORD).to_batches(max_chunksize=BATCH)
    return as_one(judged(batches, fleet, tolerance_us=tolerance_us))


def judge_here(lake: Lake, *, tolerance_us: int) -> Judge:
    """Return a judge that needs no Spark: its start costs more than some thousands of records."""

    def judge(piece: Piece, fleet: Fleet) -> Judgement:
        rows = messages(lake, piece).collect()
        return judged_here(rows, fleet, tolerance_us=tolerance_us)

    return judge


def messages(lake: Lake, piece: Piece) -> pl.LazyFrame:
    """Return a piece's rows of bronze."""
    rows = received_messages(lake, piece.version, piece.received)
    return rows.filter(piece.appended.holds("kafka_time"))


def received_messages(lake: Lake, version: int, received: Span) -> pl.LazyFrame:
    """Return the rows of a version of bronze that were received within a span."""
    dates = pl.col("received_date").is_between(received.start.date(), received.end.date())
    return lake.scan_at(MESSAGES, version).filter(dates, received.holds("received_at"))


def judge_by_spark(settings: Settings, lake: Lake, *, tolerance_us: int) -> Judge:
    """Return a judge that spreads the records over Spark's workers."""
    spark = session(settings, "headwater-replay")

    def judge(piece: Piece, fleet: Fleet) -> Judgement:
        broadcast = spark.sparkContext.broadcast(fleet)
        worker = judge_on_worker(broadcast, tolerance_us)
        records = _records(spark, lake, piece).select(*RECORD_COLUMNS)
        packs = records.mapInArrow(worker, PACK).toArrow()
        broadcast.unpersist()
        return unpacked(packs)

    return judge


def _records(spark: SparkSession, lake: Lake, piece: Piece) -> DataFrame:
    received, appended = piece.received, piece.appended
    rows = lake.frame(spark, MESSAGES, piece.version).where(
        F.col("received_date").between(received.start.date(), received.end.date())
        & _holds(received, "received_at")
        & _holds(appended, "kafka_time")
    )
    return rows.select(
        F.col("kafka_key").alias("key"),
        "value",
        "topic",
        "partition",
        "offset",
        F.col("kafka_time").alias("timestamp"),
        F.map_entries("headers").alias("headers"),
    )


def _holds(span: Span, column: str) -> Column:
    return (F.col(column) >= F.lit(span.start)) & (F.col(column) < F.lit(span.end))
