"""Kafka's records as Arrow, in columns, read where they are judged: not by Spark's own source.

Spark's own source makes a row of each record, then Arrow of the rows, a value at a time; that was
more than half of landing's CPU (docs/decisions/0020).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, Self
from uuid import UUID

import numpy as np
import pyarrow as pa

from spark_jobs.header_layouts import NAMES
from spark_jobs.kafka_fetches import NO_ID, Fetches, RefusedError, Topic
from spark_jobs.planned_offsets import Span
from spark_jobs.record_batches import Batch, batches, columns
from telemetry.errors import HeadwaterError

SCHEMA = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("headers", pa.list_(pa.struct([("key", NAMES), ("value", pa.binary())]))),
    ]
)
"""The columns of Spark's Kafka source; names of headers are words."""
MOST_ROWS = 50_000
MOST_BYTES = 32 * 1024 * 1024
"""Of values in a batch; one record may go beyond it."""


class Reading(NamedTuple):
    """What the tasks of a batch read; bronze calls the topic `landed_as`.

    A broker that is silent for `give_up_s` is taken to be away. With `topic_id` another topic of
    the same name is refused, which a topic that was made anew is.
    """

    bootstrap: str
    topic: str
    landed_as: str
    tasks: tuple[tuple[Span, ...], ...]
    give_up_s: float = 20.0
    topic_id: str | None = None

    @property
    def length(self) -> int:
        """How many offsets there are in all."""
        return sum(span.length for spans in self.tasks for span in spans)

    def at_once(self) -> Self:
        """Return the same in a single task, which asks for all its partitions together.

        A task has one span of a partition: there are as many as one has, which is one in a plan.
        """
        tasks: list[list[Span]] = []
        of_partition = Counter[int]()
        for span in chain.from_iterable(self.tasks):
            if of_partition[span.partition] == len(tasks):
                tasks.append([])
            tasks[of_partition[span.partition]].append(span)
            of_partition[span.partition] += 1
        return self._replace(tasks=tuple(map(tuple, tasks)))

    def behind(self, read: Mapping[int, int]) -> Self | None:
        """Return what is left once partitions are read up to some offsets; None if nothing is."""
        tasks = (tuple(_left(spans, read)) for spans in self.tasks)
        left = tuple(spans for spans in tasks if spans)
        return self._replace(tasks=left) if left else None

    def batches(self, numbers: Iterable[int]) -> Iterator[pa.RecordBatch]:
        """Yield the records of the tasks that have these numbers."""
        for number in numbers:
            yield from self._records(self.tasks[number])

    def _records(self, spans: Sequence[Span]) -> Iterator[pa.RecordBatch]:
        waiting: list[_Part] = []
        rows = size = 0
        for part in self._parts(spans):
            if rows and (rows + part.batch.rows > MOST_ROWS or size > MOST_BYTES):
                yield self._arrow(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append(part)
            rows += part.batch.rows
            size += len(part.batch.records)
        if rows:
            yield self._arrow(waiting)

    def _parts(self, spans: Sequence[Span]) -> Iterator["_Part"]:
        """Yield what has records of the spans, each partition's in their order."""
        left = {span.partition: span for span in spans}
        at = {span.partition: span.first for span in spans}
        fetches = _fetches(self.bootstrap)
        topic = Topic(self.topic, _id(self.topic_id))
        while left:
            positions = {partition: at[partition] for partition in left}
            try:
                found = [*fetches.fetch(topic, positions, give_up_s=self.give_up_s)]
            except RefusedError as error:
                raise _not_given(left[error.partition], error) from error
            for partition, content, aborted in found:
                span = left[partition]
                for batch in batches(content, aborted):
                    at[partition] = batch.next_offset
                    if batch.rows and span.first < batch.next_offset:
                        yield _Part(span, batch)
                    if batch.next_offset >= span.until:
                        del left[partition]
                        break

    def _arrow(self, parts: list["_Part"]) -> pa.RecordBatch:
        """Return the records of the spans that batches hold; a batch may begin before its span."""
        parts = sorted(parts, key=lambda part: part.span)
        wanted = [(part.span.first, part.span.until) for part in parts]
        found = columns([part.batch for part in parts], wanted, usual_first=True)
        partition = np.array([part.span.partition for part in parts], np.int32)[found.batch]
        arrays = [
            found.key,
            found.value,
            pa.repeat(pa.scalar(self.landed_as), len(partition)),
            pa.array(partition),
            pa.array(found.offset),
            pa.array(found.time_us).cast(SCHEMA.field("timestamp").type),
            found.headers,
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _id(said: str | None) -> UUID:
    """Return a topic's id; brokers from before Kafka 2.8 have none."""
    try:
        return UUID(said or "")
    except ValueError:
        return NO_ID


def _left(spans: Iterable[Span], read: Mapping[int, int]) -> Iterator[Span]:
    for span in spans:
        first = max(span.first, read.get(span.partition, -1) + 1)
        if first < span.until:
            yield span._replace(first=first)


class _Part(NamedTuple):
    """A batch of records, and the span that some of them are of."""

    span: Span
    batch: Batch


def _not_given(span: Span, error: RefusedError) -> HeadwaterError:
    return HeadwaterError(
        f"Kafka does not give offsets {span.first} to {span.until - 1} of partition"
        f" {span.partition}: {error}"
    )


_open: dict[str, Fetches] = {}


def _fetches(bootstrap: str) -> Fetches:
    """Return this process's connections: a worker lives for many batches."""
    if bootstrap not in _open:
        _open[bootstrap] = Fetches(bootstrap)
    return _open[bootstrap]
