"""The two queries of landing, one a source: Kafka, and the spool's segments."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deltalake.exceptions import DeltaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from edge.outboxes import stack_mode
from spark_jobs.checkpoint import APP_ID, has_batches, kafka_damage, spool_damage
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.alone import Owner
from spark_jobs.jobs.kafka_source import KafkaLag, kafka_options
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_start import (
    forget_start,
    kafka_start,
    last_batch,
    newest_offsets,
    read_up_to,
)
from spark_jobs.jobs.older_checkpoint import landing_is_behind
from spark_jobs.jobs.older_lake import MEMORY, landing_is_ahead, refuse_older_lake
from spark_jobs.jobs.query import Figures, Query, Running, Trigger
from spark_jobs.jobs.rate import Rate
from spark_jobs.jobs.spool_lag import SpoolLag
from spark_jobs.kafka_records import Reading
from spark_jobs.lake import Lake
from spark_jobs.planned_offsets import planned, shared_out
from spark_jobs.refusal import refuse_damaged
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.topics import SPOOL_TOPIC, TELEMETRY

KAFKA = "landing"
SPOOL = "landing_spool"
SPOOL_BYTES_PER_RECORD = 64
FOLLOW_EVERY_S = 5.0
RECORDS = (
    "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp,"
    " headers array<struct<key: string, value: binary>>"
)
log = logging.getLogger(__name__)


def follow(
    take_up: Callable[[], None], is_active: Callable[[], bool], every_s: float = FOLLOW_EVERY_S
) -> None:
    """Take up the registry's word while a query waits: no batch comes without a message.

    Messages that were parked are landed once `dim.devices` knows their device.
    """
    while is_active():
        try:
            take_up()
        except (HeadwaterError, DeltaError, OSError):
            log.exception("the registry is not followed; trying again")
        time.sleep(every_s)


class SharedLanding:
    """The landing of this process, made when the first query starts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._landing: Landing | None = None
        self._owner = Owner(settings, KAFKA)
        self._lock = threading.Lock()

    def open(self) -> Landing:
        """Return it, building its memory from the lake the first time."""
        with self._lock:
            if self._landing is None:
                self._landing = Landing(self.settings, Lake(self.settings.lake_root))
            return self._landing

    def own(self) -> None:
        """Take the lock that all that lands shares."""
        self._owner.take()

    def close(self) -> None:
        """Let others land; what is remembered is not true any more."""
        self._landing = None
        self._owner.release()

    def start(
        self,
        name: str,
        source: DataFrame,
        trigger: Trigger,
        *,
        topic: str,
        reading: Callable[[int], Reading | None] = lambda _batch_id: None,
    ) -> StreamingQuery:
        """Start a query that lands what the source brings.

        `reading` says what workers read themselves of a batch that the source has planned.
        """
        checkpoint = self.settings.checkpoint_dir / name
        landing = self.open()
        if not has_batches(checkpoint):
            landing = self._behind_bronze(source.sparkSession, checkpoint, topic)
        app_id = f"{name}/{checkpoint_id(checkpoint)}"

        def land(batch: DataFrame, batch_id: int) -> None:
            landing.land(batch, Txn(app_id, batch_id), reading(batch_id))

        writer = source.writeStream.queryName(name).foreachBatch(land)
        located = writer.option("checkpointLocation", str(checkpoint))
        if trigger == "available-now":
            return located.trigger(availableNow=True).start()
        # Beside the first batch: the driver judges it, unless there is much to catch up on.
        threading.Thread(target=landing.warm_up, args=(source.sparkSession,), daemon=True).start()
        interval = f"{round(self.settings.landing_trigger_s * 1000)} milliseconds"
        query = located.trigger(processingTime=interval).start()
        told = (landing.follow, lambda: query.isActive)
        threading.Thread(target=follow, args=told, daemon=True).start()
        return query

    def _behind_bronze(self, spark: SparkSession, checkpoint: Path, topic: str) -> Landing:
        """Make ready for a checkpoint that is new or was lost: the tables are what is known.

        What landing remembers may be of another lake; bronze may be a batch ahead of silver.
        """
        forget_start(checkpoint)
        lake = Lake(self.settings.lake_root)
        landing = self.open()
        if landing.landed != newest_offsets(lake):
            log.warning("landing remembers another lake: its memory is made anew")
            (self.settings.checkpoint_dir / MEMORY).unlink(missing_ok=True)
            self._landing = None
            landing = self.open()
        last = last_batch(spark, lake, topic)
        if last is not None:
            log.info(
                "silver is held against the last batch of bronze: %s", landing.land_again(last)
            )
        return landing

    def figures(self, lag: Callable[[dict[tuple[str, int], int]], int]) -> Figures:
        """Return the figures, with the lag behind what has landed."""
        landing = self._landing
        return landing.progress.figures(lag(landing.landed)) if landing else Figures()


def checkpoint_id(checkpoint: Path) -> str:
    """Return the checkpoint's own id; a checkpoint that was lost begins with another one."""
    path = checkpoint / APP_ID
    if not path.exists():
        checkpoint.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(str(uuid.uuid4()))
        temporary.replace(path)
    return path.read_text()


class KafkaQuery:
    """Lands the topic `telemetry`."""

    name = KAFKA

    def __init__(self, shared: SharedLanding) -> None:
        self._shared = shared
        settings = shared.settings
        read = partial(read_up_to, settings.checkpoint_dir / KAFKA)
        self._lag = KafkaLag(settings.kafka_bootstrap, read)
        self._rate = Rate()

    def own(self) -> None:
        """Take the lock of landing."""
        self._shared.own()

    def close(self) -> None:
        """Let others land."""
        self._lag.close()
        self._shared.close()

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        """Start behind the checkpoint; without one, behind what bronze holds."""
        settings = self._shared.settings
        lake = Lake(settings.lake_root)
        refuse_damaged(self.name, kafka_damage(settings.checkpoint_dir / self.name))
        refuse_damaged(self.name, landing_is_behind(settings, lake, self.name))
        refuse_older_lake(self.name, landing_is_ahead(settings, lake, self.name))
        start = kafka_start(settings, lake, datetime.now(UTC))
        self._lag.landed_as = start.topic
        options = kafka_options(settings) | {"startingOffsets": start.offsets}
        records = spark.readStream.format("kafka").options(**options).load()
        named = records.withColumn("topic", F.lit(start.topic))
        cores = spark.sparkContext.defaultParallelism
        if trigger == "available-now":
            # It ends with what there is now, whatever comes meanwhile.
            self._lag.look()

        def reading(batch_id: int) -> Reading | None:
            spans = planned(settings.checkpoint_dir / self.name, batch_id)
            if spans is None:
                return None
            tasks = shared_out(spans, cores)
            found = Reading(settings.kafka_bootstrap, TELEMETRY.name, start.topic, tasks)
            return found._replace(topic_id=start.topic_id)

        return self._shared.start(self.name, named, trigger, topic=start.topic, reading=reading)

    def figures(self) -> Figures:
        """Say how far it is behind the newest offsets, and how fast it reads."""
        found = self._shared.figures(self._lag.behind)
        rate = self._rate.of(found.rows.get("bronze", 0), time.monotonic())
        known, until = self._lag.is_known, self._lag.landed_until
        return replace(found, input_rows_per_s=rate, is_lag_known=known, landed_until=until)


class SpoolQuery:
    """Lands the spool's segments, and deletes those that it has landed."""

    name = SPOOL

    def __init__(self, shared: SharedLanding) -> None:
        self._shared = shared
        self._lag = SpoolLag(shared.settings.spool_dir)

    def own(self) -> None:
        """Take the lock of landing."""
        self._shared.own()

    def close(self) -> None:
        """Let others land."""
        self._shared.close()

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        """Start behind the checkpoint."""
        if trigger == "available-now":
            self._lag.look()
        settings = self._shared.settings
        segments = settings.spool_dir / "segments"
        refuse_damaged(self.name, spool_damage(settings.checkpoint_dir / self.name, segments))
        lake = Lake(settings.lake_root)
        refuse_damaged(self.name, landing_is_behind(settings, lake, self.name))
        refuse_older_lake(self.name, landing_is_ahead(settings, lake, self.name))
        segments.mkdir(parents=True, exist_ok=True)
        limit = settings.max_offsets_per_batch * SPOOL_BYTES_PER_RECORD
        reader = spark.readStream.schema(RECORDS).option("maxBytesPerTrigger", str(limit))
        source = reader.option("cleanSource", "delete").parquet(str(segments))
        return self._shared.start(self.name, source, trigger, topic=SPOOL_TOPIC)

    def figures(self) -> Figures:
        """Say how far it is behind the segments."""
        found = self._shared.figures(self._lag.behind)
        return replace(found, landed_until=self._lag.landed_until)


class SpoolFirst:
    """Kafka's query behind the spool's: a start lands first what the light path left behind."""

    def __init__(self, kafka: Query, drain: Callable[[SparkSession], None]) -> None:
        self.name = kafka.name
        self.own, self.close, self.figures = kafka.own, kafka.close, kafka.figures
        self._kafka = kafka
        self._drain = drain

    def start(self, spark: SparkSession, trigger: Trigger) -> Running:
        """Drain the spool, then start behind the checkpoint."""
        self._drain(spark)
        return self._kafka.start(spark, trigger)


def landing_queries(settings: Settings) -> list[Query]:
    """Return the queries of the stack's mode; in full mode the spool is drained before Kafka."""
    shared = SharedLanding(settings)
    if stack_mode(settings) == "light":
        return [SpoolQuery(shared)]
    return [SpoolQuery(shared), KafkaQuery(shared)]
