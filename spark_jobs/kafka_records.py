"""Kafka's records as Arrow, read where they are judged: in Spark's workers, with librdkafka.

Spark's own source makes a row of each record, then Arrow of the rows, a value at a time; that was
more than half of landing's CPU (docs/decisions/0020).
"""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from spark_jobs.collector import no_collection
from spark_jobs.header_lists import Pairs, header_lists
from spark_jobs.planned_offsets import Span
from telemetry.errors import HeadwaterError

CONFIG: dict[str, str | int | float | bool] = {
    # Nothing is committed to it: the library wants a name.
    "group.id": "headwater-landing",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "check.crcs": True,
    "fetch.message.max.bytes": 2 * 1024 * 1024,
    "queued.max.messages.kbytes": 8 * 1024,
    "fetch.queue.backoff.ms": 5,
    "log_level": 0,
}
SCHEMA = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    ]
)
"""The columns of Spark's Kafka source."""
MOST_ROWS = 20_000
MOST_BYTES = 32 * 1024 * 1024
"""Of values in a batch; one record may go beyond it."""
AT_ONCE = 500
POLL_S = 0.5


class UnreadableHeadersError(HeadwaterError):
    """A header's name is no UTF-8: Spark's source replaces what is wrong, the library refuses."""


class Reading(NamedTuple):
    """What the tasks of a batch read; bronze calls the topic `landed_as`.

    A broker that is silent for `give_up_s` is taken to be away.
    """

    bootstrap: str
    topic: str
    landed_as: str
    tasks: tuple[tuple[Span, ...], ...]
    give_up_s: float = 20.0

    def batches(self, asked: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the records of tasks; `asked` has their numbers in its column `id`."""
        for numbers in asked:
            for number in numbers.column("id").to_pylist():
                for span in self.tasks[number]:
                    yield from self._records(span)

    def _records(self, span: Span) -> Iterator[pa.RecordBatch]:
        consumer = _consumer(self.bootstrap)
        consumer.assign([TopicPartition(self.topic, span.partition, span.first)])
        waiting: list[Message] = []
        size = 0
        try:
            for found in self._found(consumer, span):
                waiting += found
                size += sum(map(len, found))
                if len(waiting) >= MOST_ROWS or size >= MOST_BYTES:
                    yield _arrow(waiting, span, self.landed_as)
                    waiting, size = [], 0
        finally:
            # What lies beyond the span is another batch's, maybe another worker's.
            consumer.unassign()
        if waiting:
            yield _arrow(waiting, span, self.landed_as)

    def _found(self, consumer: Consumer, span: Span) -> Iterator[list[Message]]:
        """Yield the span's records in their order; offsets that no record has are passed over."""
        at, heard_at = span.first, time.monotonic()
        while at < span.until:
            told = consumer.consume(min(AT_ONCE, span.until - at), POLL_S)
            found = [message for message in told if message.error() is None]
            if len(found) < len(told) and _is_end(told, span):
                at = span.until
            if found:
                at = max(at, _offset(found[-1]) + 1)
                yield found if at <= span.until else [m for m in found if _offset(m) < span.until]
            if told:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > self.give_up_s:
                raise HeadwaterError(f"no broker answers at {self.bootstrap}: it gives no records")


_consumers: dict[str, Consumer] = {}


def _consumer(bootstrap: str) -> Consumer:
    """Return this process's consumer: a worker lives for many batches."""
    if bootstrap not in _consumers:
        _consumers[bootstrap] = Consumer({"bootstrap.servers": bootstrap, **CONFIG})
    return _consumers[bootstrap]


def _is_end(told: list[Message], span: Span) -> bool:
    """Tell whether the partition ends at the span's end or behind it; raise what is an error."""
    is_end = False
    for message in told:
        error = message.error()
        if error is None:
            continue
        if error.code() != KafkaError._PARTITION_EOF:
            raise HeadwaterError(
                f"Kafka does not give offsets {span.first} to {span.until - 1} of partition"
                f" {span.partition}: {error.str()}"
            )
        is_end |= _offset(message) >= span.until
    return is_end


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset


def _arrow(messages: list[Message], span: Span, topic: str) -> pa.RecordBatch:
    count = len(messages)
    with no_collection():
        columns = [
            pa.array([message.key() for message in messages], pa.binary()),
            pa.array([message.value() for message in messages], pa.binary()),
            pa.repeat(pa.scalar(topic), count),
            pa.repeat(pa.scalar(span.partition, pa.int32()), count),
            pa.array([message.offset() for message in messages], pa.int64()),
            pa.array([message.timestamp()[1] * 1000 for message in messages], pa.int64()),
            _headers(messages),
        ]
    typed = [column.cast(field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(typed, schema=SCHEMA)


def _headers(messages: list[Message]) -> pa.ListArray:
    try:
        lists = [message.headers() or () for message in messages]
    except (UnicodeDecodeError, SystemError) as error:
        raise UnreadableHeadersError("a header's name is no UTF-8") from error
    return header_lists(cast(list[Pairs], lists))
