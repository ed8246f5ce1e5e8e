"""The two queries of landing, one a source: Kafka, and the spool's segments."""

import logging
import threading
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from edge.outboxes import stack_mode
from edge.spool_partition import next_offset
from spark_jobs.checkpoint import APP_ID, landing_damage
from spark_jobs.jobs.alone import Owner
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.query import Figures, Query, Trigger
from spark_jobs.lake import Lake, Txn
from spark_jobs.refusal import refuse_damaged
from telemetry.settings import Settings
from telemetry.topics import SPOOL_TOPIC, TELEMETRY

KAFKA = "landing"
SPOOL = "landing_spool"
SPOOL_BYTES_PER_RECORD = 64
RECORDS = (
    "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp,"
    " headers array<struct<key: string, value: binary>>"
)
log = logging.getLogger(__name__)


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

    def start(self, name: str, source: DataFrame, trigger: Trigger) -> StreamingQuery:
        """Start a query that lands what the source brings."""
        checkpoint = self.settings.checkpoint_dir / name
        refuse_damaged(name, landing_damage(checkpoint))
        landing = self.open()
        app_id = f"{name}/{checkpoint_id(checkpoint)}"

        def land(batch: DataFrame, batch_id: int) -> None:
            landing.land(batch, Txn(app_id, batch_id))

        writer = source.writeStream.queryName(name).foreachBatch(land)
        located = writer.option("checkpointLocation", str(checkpoint))
        if trigger == "available-now":
            return located.trigger(availableNow=True).start()
        landing.warm_up(source.sparkSession)
        interval = f"{round(self.settings.landing_trigger_s * 1000)} milliseconds"
        return located.trigger(processingTime=interval).start()

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
        self._lag = KafkaLag(shared.settings.kafka_bootstrap)

    def own(self) -> None:
        """Take the lock of landing."""
        self._shared.own()

    def close(self) -> None:
        """Let others land."""
        self._shared.close()

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        """Start behind the checkpoint."""
        reader = spark.readStream.format("kafka").options(**kafka_options(self._shared.settings))
        return self._shared.start(self.name, reader.load(), trigger)

    def figures(self) -> Figures:
        """Say how far it is behind the newest offsets."""
        return self._shared.figures(self._lag.behind)


def kafka_options(settings: Settings) -> dict[str, str]:
    """Return the options of the Kafka source; lost offsets stop the query."""
    return {
        "kafka.bootstrap.servers": settings.kafka_bootstrap,
        "subscribe": TELEMETRY.name,
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        "maxOffsetsPerTrigger": str(settings.max_offsets_per_batch),
        "kafka.max.poll.records": "5000",
        "kafka.fetch.max.bytes": str(16 * 1024 * 1024),
        "kafka.max.partition.fetch.bytes": str(8 * 1024 * 1024),
        "kafka.request.timeout.ms": "10000",
        "kafka.default.api.timeout.ms": "15000",
    }


class KafkaLag:
    """Asks the broker for its newest offsets, since streaming commits none to it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: KafkaConsumer | None = None
        self._partitions = [TopicPartition(TELEMETRY.name, n) for n in range(TELEMETRY.partitions)]
        self._newest = 0

    def behind(self, landed: dict[tuple[str, int], int]) -> int:
        """Return the records not landed; what was last known while the broker is away."""
        try:
            consumer = self._open()
            lows = consumer.beginning_offsets(self._partitions)
            highs = consumer.end_offsets(self._partitions)
        except KafkaError as error:
            log.debug("the broker does not tell its offsets: %s", error)
            return self._newest
        behind = (
            high - max(lows[at], landed.get((at.topic, at.partition), -1) + 1)
            for at, high in highs.items()
        )
        self._newest = max(0, sum(behind))
        return self._newest

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap,
                request_timeout_ms=2000,
                bootstrap_timeout_ms=2000,
            )
        return self._consumer


class SpoolQuery:
    """Lands the spool's segments, and deletes those that it has landed."""

    name = SPOOL

    def __init__(self, shared: SharedLanding) -> None:
        self._shared = shared

    def own(self) -> None:
        """Take the lock of landing."""
        self._shared.own()

    def close(self) -> None:
        """Let others land."""
        self._shared.close()

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        """Start behind the checkpoint."""
        settings = self._shared.settings
        segments = settings.spool_dir / "segments"
        segments.mkdir(parents=True, exist_ok=True)
        limit = settings.max_offsets_per_batch * SPOOL_BYTES_PER_RECORD
        reader = spark.readStream.schema(RECORDS).option("maxBytesPerTrigger", str(limit))
        source = reader.option("cleanSource", "delete").parquet(str(segments))
        return self._shared.start(self.name, source, trigger)

    def figures(self) -> Figures:
        """Say how far it is behind the segments."""
        return self._shared.figures(partial(spool_lag, self._shared.settings.spool_dir))


def spool_lag(spool_dir: Path, landed: dict[tuple[str, int], int]) -> int:
    """Return the records in segments that are not landed."""
    partitions = spool_dir / "partitions"
    numbers = [int(path.name) for path in partitions.glob("*")] if partitions.exists() else []
    return sum(
        max(0, next_offset(spool_dir, n) - landed.get((SPOOL_TOPIC, n), -1) - 1) for n in numbers
    )


class SpoolFirst:
    """Kafka's query behind the spool's: a start lands first what the light path left behind."""

    def __init__(self, kafka: Query, drain: Callable[[SparkSession], None]) -> None:
        self.name = kafka.name
        self.own, self.close, self.figures = kafka.own, kafka.close, kafka.figures
        self._kafka = kafka
        self._drain = drain

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        """Drain the spool, then start behind the checkpoint."""
        self._drain(spark)
        return self._kafka.start(spark, trigger)


def landing_queries(settings: Settings) -> list[Query]:
    """Return the queries of the stack's mode; in full mode the spool is drained before Kafka."""
    shared = SharedLanding(settings)
    if stack_mode(settings) == "light":
        return [SpoolQuery(shared)]
    return [SpoolQuery(shared), KafkaQuery(shared)]
