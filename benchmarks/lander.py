"""One run of one way to land the backlog, in a process of its own; prints its figures as JSON."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from benchmarks import flink_lander, hand_written
from benchmarks.backlog import metric_types
from benchmarks.marks import Mark, cost, mark
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.kafka_source import kafka_options
from spark_jobs.jobs.landing_queries import KafkaQuery, SharedLanding
from spark_jobs.lake import Lake
from spark_jobs.session import session
from telemetry.settings import Settings
from telemetry.tables import DEVICES

_FROM_START = {"includeHeaders": "false", "startingOffsets": "earliest"}
Span = tuple[Mark, Mark]
_SPARK_TYPES = {"double": "double", "bool": "boolean", "string": "string"}


class Job(NamedTuple):
    """What a run is given."""

    spark: SparkSession
    settings: Settings
    metrics: int

    def source(self) -> DataFrame:
        """Return the backlog as Spark reads it without us, headers left out."""
        options = kafka_options(self.settings) | _FROM_START
        return self.spark.readStream.format("kafka").options(**options).load()

    def sink(self, frame: DataFrame, name: str) -> StreamingQuery:
        """Append a stream to a Delta table."""
        home = self.settings.home
        writer = frame.writeStream.format("delta").trigger(availableNow=True)
        located = writer.option("checkpointLocation", str(home / "checkpoints" / name))
        return located.start(str(home / "lake" / name))


def ours(job: Job) -> list[Callable[[], StreamingQuery]]:
    """Land as the stack does."""
    shared = SharedLanding(job.settings)
    return [lambda: KafkaQuery(shared).start(job.spark, "available-now")]


def spark_plain(job: Job) -> list[Callable[[], StreamingQuery]]:
    """`from_json` into one plain table, a row a message: nothing is checked or kept."""
    parsed = _parsed(job.source(), job.metrics)
    return [lambda: job.sink(parsed.select("device_full", "m.*"), "plain")]


def spark_same_work(job: Job) -> list[Callable[[], StreamingQuery]]:
    """Bronze, and narrow silver that is checked, deduplicated and joined with the devices."""
    return [lambda: job.sink(job.source(), "bronze"), lambda: job.sink(_silver(job), "silver")]


def _parsed(source: DataFrame, metrics: int) -> DataFrame:
    fields = ", ".join(f"{name}: {_SPARK_TYPES[t]}" for name, t in metric_types(metrics).items())
    schema = f"v int, ts timestamp, boot string, seq bigint, metrics struct<{fields}>"
    message = F.from_json(F.col("value").cast("string"), schema).alias("m")
    key = F.col("key").cast("string").alias("device_full")
    return source.select(key, message, "topic", "partition", "offset", "timestamp")


def _silver(job: Job) -> DataFrame:
    parsed = _parsed(job.source(), job.metrics).where("m.metrics is not null")
    named = parsed.withColumn("event_time", F.col("m.ts")).withColumn("boot", F.col("m.boot"))
    keyed = named.withColumn("seq", F.col("m.seq")).withWatermark("event_time", "1 day")
    once = keyed.dropDuplicatesWithinWatermark(["device_full", "boot", "seq"])
    devices = Lake(job.settings.lake_root).frame(job.spark, DEVICES)
    about = devices.drop("product", "valid_from", "valid_to")
    joined = once.join(F.broadcast(about), on="device_full", how="left")
    readings = joined.select("*", F.explode(_readings(job.metrics)).alias("r"))
    kept = readings.where("r.value is null or r.value between -40 and 80")
    return kept.select("*", "r.*", F.to_date("event_time").alias("event_date")).drop("r", "m")


def _readings(metrics: int) -> Column:
    def one(name: str, type_: str) -> Column:
        value = F.col(f"m.metrics.{name}")
        empty = F.lit(None)
        return F.struct(
            F.lit(name).alias("metric"),
            (value if type_ == "double" else empty.cast("double")).alias("value"),
            (value if type_ == "string" else empty.cast("string")).alias("value_text"),
            (value if type_ == "bool" else empty.cast("boolean")).alias("value_bool"),
            F.lit("degC").alias("unit"),
        )

    return F.array(*(one(name, type_) for name, type_ in metric_types(metrics).items()))


SPARK_WAYS = {"ours": ours, "spark_plain": spark_plain, "spark_same_work": spark_same_work}
WITH_GOLD = "ours_gold"
WAYS = (*SPARK_WAYS, WITH_GOLD, "flink_plain", "hand_written")


def measured(start: Callable[[], StreamingQuery], warm_rows: int) -> tuple[Mark, Mark]:
    """Run a query to its end; return the marks after its warm-up and at its end."""
    query, warm, batches = start(), None, 0
    while query.isActive:
        # Progress is written as JSON for each look at it: it is looked at once a batch.
        seen = _batches(query)
        if warm is None and seen > batches:
            batches, rows = seen, _rows(query)
            if rows >= warm_rows:
                warm = mark(rows)
        time.sleep(0.05)
    query.awaitTermination()
    end = mark(_rows(query))
    return warm or end, end


def measured_with_gold(job: Job, warm_rows: int) -> Span:
    """Land while gold makes its tables beside it, as the stack does, until gold has read all."""
    gold = GoldQuery(job.settings)
    behind = gold.start(job.spark, "always")
    warm, landed = measured(ours(job)[0], warm_rows)
    while gold.figures().lag_messages:
        assert behind.isActive, f"gold ended: {behind.exception()}"
        time.sleep(0.2)
    end = mark(landed.rows)
    behind.stop()
    gold.close()
    return warm, end


def _batches(query: StreamingQuery) -> int:
    newest = query._jsq.lastProgress()
    return 0 if newest is None else int(newest.batchId()) + 1


def _rows(query: StreamingQuery) -> int:
    """Return how many offsets were read; the backlog begins at 0."""
    latest = query.lastProgress
    said = latest["sources"][0]["endOffset"] if latest else {}
    read = json.loads(said) if isinstance(said, str) else said
    return sum(offset for partitions in read.values() for offset in partitions.values())


def _by_spark(way: str, settings: Settings, metrics: int, warm_rows: int) -> Iterator[Span]:
    Lake(settings.lake_root).create_all()
    # The devices' history, which stock Spark joins with as well.
    SharedLanding(settings).open()
    job = Job(session(settings, f"bench-{way}"), settings, metrics)
    if way == WITH_GOLD:
        yield measured_with_gold(job, warm_rows)
        return
    for start in SPARK_WAYS[way](job):
        yield measured(start, warm_rows)


def _spans(way: str, settings: Settings, metrics: int, warm_rows: int) -> Iterator[Span]:
    if way == WITH_GOLD or way in SPARK_WAYS:
        yield from _by_spark(way, settings, metrics, warm_rows)
    elif way == "flink_plain":
        yield flink_lander.land(settings, metrics, warm_rows)
    else:
        yield hand_written.land(settings, metrics, warm_rows)


def main() -> None:
    """Run one way and print what it took."""
    options = argparse.ArgumentParser()
    options.add_argument("way", choices=WAYS)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--kafka", required=True)
    for name in ("metrics", "warm", "batch"):
        options.add_argument(f"--{name}", type=int, required=True)
    given = options.parse_args()
    settings = Settings(home=given.home, kafka=given.kafka, max_offsets_per_batch=given.batch)
    found = cost(_spans(given.way, settings, given.metrics, given.warm))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
