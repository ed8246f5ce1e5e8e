"""Who judges records for landing: Spark's workers, or the driver where there are few.

Most often who judges them reads them from Kafka as well.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.core.broadcast import Broadcast
from pyspark.core.context import SparkContext
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.column_files import added, as_text
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.kafka_records import Reading
from spark_jobs.record_fields import UnusualRecordsError
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import judged
from spark_jobs.transforms.judgement import PACK, PACKS, Judgement, as_one, packed, unpacked
from spark_jobs.transforms.staging import Staging, staged
from spark_jobs.worker_jobs import collected
from telemetry.tables import MESSAGES

RECORD_COLUMNS = ("key", "value", "topic", "partition", "offset", "timestamp", "headers")
NOTHING = (
    "cast(null as binary) as key",
    "cast(null as binary) as value",
    "'' as topic",
    "0 as partition",
    "id as offset",
    "current_timestamp() as timestamp",
    "cast(null as array<struct<key: string, value: binary>>) as headers",
)
"""Columns of a record that says nothing."""


class Few(NamedTuple):
    """Records of Kafka that the driver judges: a job of the workers costs more than it saves.

    Workers that had nothing to do for a minute are started anew, which takes seconds
    (docs/decisions/0038).
    """

    records: int = 50_000
    bytes: int = 256 * 1024 * 1024
    messages: int = 200_000
    """Judged in one go: records may be lists, whose messages take many times their bytes."""


class Read(NamedTuple):
    """Messages that were judged, and what is still to be read of their batch."""

    found: Judgement
    rest: Reading | None = None


class _LargeError(Exception):
    """Few records have many bytes."""


JudgeBatches = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
log = logging.getLogger(__name__)


class LandingWorkers:
    """Hands the newest registry to the workers, and takes what they have judged."""

    def __init__(self, registry: LiveRegistry, tolerance_us: int, few: Few) -> None:
        self._registry, self._tolerance_us, self._few = registry, tolerance_us, few
        self._fleet: tuple[int, Broadcast[Fleet]] | None = None
        self._lock = threading.Lock()

    def warm_up(self, spark: SparkSession) -> None:
        """Start the workers, so that the first large batch does not wait for them."""
        try:
            collected(spark, spark.sparkContext.defaultParallelism, lambda _: iter(()), PACKS)
            self.judge(spark.range(1).selectExpr(*NOTHING))
        except Exception as error:
            said = str(error).partition("\n")[0]
            log.warning("the first batch that needs workers starts them: %s", said)

    def read(self, batch: DataFrame, reading: Reading | None, staging: Staging) -> Read:
        """Judge a micro-batch, which is not read by Spark where `reading` says what is in it.

        Of one with very many messages only the first ones are judged.
        """
        if reading is not None:
            try:
                read = self._read_here(reading)
                return read or self._read(batch.sparkSession, reading, staging)
            except (PythonException, UnusualRecordsError) as error:
                if not _is_unusual(error):
                    raise
                log.info("Spark reads this batch: %s", UnusualRecordsError.__doc__)
        return Read(self.judge(batch, staging))

    def judge(self, records: DataFrame, staging: Staging | None = None) -> Judgement:
        """Judge records that Spark brings, a task a core: each has its price."""
        cores = records.sparkSession.sparkContext.defaultParallelism
        few = records.select(*RECORD_COLUMNS).coalesce(cores)
        fleet = self._broadcast(few.sparkSession.sparkContext)
        worker = judge_on_worker(fleet, self._tolerance_us, staging)
        return unpacked(few.mapInArrow(worker, PACK).toArrow())

    def _read_here(self, reading: Reading) -> Read | None:
        """Return what the driver has judged, None where that is not for it."""
        if reading.length > self._few.records:
            return None
        together = reading.at_once()
        batches = _bounded(together.batches(range(len(together.tasks))), self._few.bytes)
        parts: list[Judgement] = []
        try:
            for batch in batches:
                parts += judged([batch], self._registry.fleet, tolerance_us=self._tolerance_us)
                if sum(part.messages.num_rows for part in parts) > self._few.messages:
                    found = as_one(parts)
                    return Read(found, reading.behind(_newest_offsets(found.messages)))
        except _LargeError:
            log.info("workers read this batch: few records, but of many bytes")
            return None
        return Read(as_one(parts))

    def _read(self, spark: SparkSession, reading: Reading, staging: Staging) -> Read:
        """Have workers judge it; of records that are lists only as many as one batch may be."""
        fleet = self._broadcast(spark.sparkContext)
        # Messages that are records by themselves are no more than was asked for.
        most = max(self._few.messages, reading.length)
        share = -(-most // len(reading.tasks)) if _is_in_order(reading) else sys.maxsize
        judge = judge_on_worker(fleet, self._tolerance_us, staging, share)

        def work(numbers: Iterable[int]) -> Iterator[pa.RecordBatch]:
            return judge(reading.batches(numbers))

        found = unpacked(collected(spark, len(reading.tasks), work, PACKS))
        may_be_cut = found.messages.num_rows > share
        return Read(found, reading.behind(_newest_offsets(found.messages)) if may_be_cut else None)

    def _broadcast(self, context: SparkContext) -> Broadcast[Fleet]:
        with self._lock:
            edition = self._registry.edition
            if self._fleet is None or self._fleet[0] != edition:
                if self._fleet is not None:
                    self._fleet[1].unpersist()
                self._fleet = edition, context.broadcast(self._registry.fleet)
            return self._fleet[1]


def _bounded(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > most:
            raise _LargeError
        yield batch


def _is_in_order(reading: Reading) -> bool:
    """Tell whether each partition is read by one task: then its newest record tells the rest."""
    partitions = [span.partition for spans in reading.tasks for span in spans]
    return len({*partitions}) == len(partitions)


def _newest_offsets(messages: pa.Table) -> dict[int, int]:
    """Return the newest offset of each partition."""
    partition, offset = (messages[name].to_numpy() for name in ("partition", "offset"))
    return {int(at): int(offset[partition == at].max()) for at in np.unique(partition)}


def _is_unusual(error: Exception) -> bool:
    """Tell what went wrong here or in a worker, whose errors come as text."""
    return isinstance(error, UnusualRecordsError) or UnusualRecordsError.__name__ in str(error)


def judge_on_worker(
    fleet: Broadcast[Fleet],
    tolerance_us: int,
    staging: Staging | None = None,
    most: int = sys.maxsize,
) -> JudgeBatches:
    """Return the function by which Spark's workers judge batches of records.

    Where they are told where bronze is, they write the records of tasks with many themselves. A
    task ends behind the batch with which it has more than `most` messages.
    """

    def judge_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found = _up_to(most, batches, fleet.value, tolerance_us)
        if staging is None:
            return map(packed, found)
        uri = staging.uri

        def write(rows: pa.Table) -> list[str]:
            return [*map(as_text, added(uri, MESSAGES, rows))]

        return map(packed, staged(found, write, staging.fewest))

    return judge_batches


def _up_to(
    most: int, batches: Iterable[pa.RecordBatch], fleet: Fleet, tolerance_us: int
) -> Iterator[Judgement]:
    count = 0
    for batch in batches:
        for part in judged([batch], fleet, tolerance_us=tolerance_us):
            count += part.messages.num_rows
            yield part
        if count > most:
            return
