"""One query of the fast lane: Kafka → Kafka in Real-Time Mode, for one set of rules."""

import logging
import shutil
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import orjson
from kafka import KafkaConsumer, TopicPartition
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from edge.listening import reach
from spark_jobs.jobs.fast_known import Known
from spark_jobs.lake import Lake
from spark_jobs.transforms.fast_alarms import alerts, needs_baselines
from spark_jobs.transforms.fast_baselines import hour_of_week, hours_about
from spark_jobs.transforms.fast_readings import limits_frame, messages, readings
from telemetry.products import Product
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.topics import ALERTS, TELEMETRY

NAME = "fast"
QUERIES = "queries"
LIVE_AFTER_S = 5.0
BATCHES = 4
"""A batch of the mode is so much longer than the time after which another query renews it."""
MARGIN = timedelta(minutes=1)
"""A batch may end, and another ask for baselines, so much later than it should."""
Offsets = Mapping[int, int]
log = logging.getLogger(__name__)


def offsets_now(settings: Settings, since_s: float | None) -> dict[int, int]:
    """Return where to begin: at a time, or behind all that is there."""
    reach(settings.kafka_bootstrap)
    limits = {"request_timeout_ms": 10_000, "bootstrap_timeout_ms": 10_000}
    with closing(KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, **limits)) as consumer:
        known = consumer.partitions_for_topic(TELEMETRY.name)
        partitions = [TopicPartition(TELEMETRY.name, number) for number in sorted(known)]
        ends = consumer.end_offsets(partitions)
        found = {}
        if since_s is not None:
            found = consumer.offsets_for_times(dict.fromkeys(partitions, round(since_s * 1000)))
    return {at.partition: found[at].offset if found.get(at) else ends[at] for at in partitions}


class FastQuery:
    """Rules at work: started once, stopped once; each has a checkpoint of its own.

    Where it goes on after a crash is the application's to know: the mode commits its offsets only
    at the end of a batch of minutes, and what is told twice is the same alert.
    """

    def __init__(
        self, settings: Settings, rules: Sequence[VersionedRule], products: Sequence[Product]
    ) -> None:
        self.rules = rules
        self._settings = settings
        self._products = products
        self._checkpoint = settings.checkpoint_dir / NAME / QUERIES / uuid.uuid4().hex
        self._query: StreamingQuery | None = None
        self._job: int | None = None
        self._since = 0.0
        self.offsets: Offsets = {}

    def start(self, spark: SparkSession, offsets: Offsets) -> None:
        """Begin at these offsets; `is_live` says when readings are judged."""
        self.offsets = offsets
        found = self._alerts(spark, offsets)
        writer = found.writeStream.format("kafka").queryName(f"{NAME}-{self._checkpoint.name}")
        located = writer.option("checkpointLocation", str(self._checkpoint)).outputMode("update")
        for name, value in self._sink().items():
            located = located.option(name, value)
        batch = f"{round(self._settings.fast_renew_s * BATCHES)} seconds"
        # pyspark knows the mode, and its stubs do not.
        self._query = located.trigger(realTime=batch).start()  # type: ignore[call-overload]

    def _alerts(self, spark: SparkSession, offsets: Offsets) -> DataFrame:
        known, metrics = self._known()
        source = spark.readStream.format("kafka").options(**self._source(offsets)).load()
        tolerance = round(self._settings.clock_tolerance_s * 1e6)
        limits = limits_frame(spark, self._products)
        each = readings(messages(source, tolerance), known.places(spark), limits, metrics)
        if needs_baselines(self.rules):
            keyed = each.withColumn("slot", F.expr(hour_of_week("event_us")))
            stored = F.broadcast(known.baselines(spark))
            each = keyed.join(stored, ["tenant", "device_full", "metric", "slot"], "left")
        else:
            kinds = {"median": "double", "spread": "double", "version": "date"}
            nothing = [f"cast(null as {kind}) as {name}" for name, kind in kinds.items()]
            each = each.selectExpr("*", *nothing)
        return alerts(each, self.rules)

    def _known(self) -> tuple[Known, list[str]]:
        """Write down what is broadcast: of baselines those of all hours of a batch of the mode.

        A query that cannot be renewed, say while Kafka is away, judges to the end of its batch.
        """
        metrics = sorted({name for kept in self.rules for name in kept.rule.metrics})
        known = Known(self._checkpoint / "known")
        ahead = timedelta(seconds=self._settings.fast_renew_s * BATCHES) + MARGIN
        watched = metrics if needs_baselines(self.rules) else []
        hours = hours_about(datetime.now(UTC), ahead)
        known.write(Lake(self._settings.lake_root), watched, hours)
        return known, metrics

    def _source(self, offsets: Offsets) -> dict[str, str]:
        begin = {TELEMETRY.name: {str(number): at for number, at in offsets.items()}}
        return {
            "kafka.bootstrap.servers": self._settings.kafka_bootstrap,
            "subscribe": TELEMETRY.name,
            "includeHeaders": "true",
            "startingOffsets": orjson.dumps(begin).decode(),
            # What Kafka has dropped is too old for an alarm; scoring and landing tell of it.
            "failOnDataLoss": "false",
        }

    def _sink(self) -> dict[str, str]:
        return {
            "kafka.bootstrap.servers": self._settings.kafka_bootstrap,
            "topic": ALERTS.name,
            "kafka.acks": "all",
            "kafka.linger.ms": "0",
        }

    def is_live(self, spark: SparkSession, now: float) -> bool:
        """Tell whether one job alone has run for some seconds: the query's own never ends.

        What reads the broadcasts is a job too, and ends; beside other work it may take as long,
        but hardly ever has a task for each partition of the topic. How many of them run is no
        sign, since Spark tells of that late.
        """
        job = self._only_job(spark)
        if job is None or job != self._job:
            self._job, self._since = job, now
        return job is not None and now - self._since >= LIVE_AFTER_S

    def _only_job(self, spark: SparkSession) -> int | None:
        assert self._query is not None
        tracker = spark.sparkContext.statusTracker()
        jobs = tracker.getJobIdsForGroup(str(self._query.runId))
        told = [(job, info) for job in jobs if (info := tracker.getJobInfo(job)) is not None]
        running = [(job, info) for job, info in told if info.status == "RUNNING"]
        if len(running) != 1:
            return None
        job, info = running[0]
        stages = [tracker.getStageInfo(int(stage)) for stage in info.stageIds]
        is_own = any(stage and stage.numTasks == len(self.offsets) for stage in stages)
        return int(job) if is_own else None

    @property
    def error(self) -> BaseException | None:
        """What ended it, None while it runs."""
        assert self._query is not None
        if self._query.isActive:
            return None
        return self._query.exception() or RuntimeError("the query has ended")

    def stop(self) -> None:
        """End it, and remove what it kept."""
        if self._query is not None:
            self._query.stop()
        shutil.rmtree(self._checkpoint, ignore_errors=True)
