"""A consumer as a person writes it in an hour: librdkafka, a frame, one append a batch.

It has no state and no replay: what fails in the middle is lost or there twice, one line that is
wrong stops it, nothing is checked, deduplicated or joined.
"""

from collections.abc import Iterator

import polars as pl
from confluent_kafka import Consumer, Message, TopicPartition
from deltalake import WriterProperties, write_deltalake

from benchmarks.backlog import metric_types
from benchmarks.marks import Mark, mark
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY

_TYPES = {"double": pl.Float64(), "bool": pl.Boolean(), "string": pl.String()}
_CONFIG: dict[str, str | int | float | bool] = {
    "group.id": "hand-written",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
}
_AT_ONCE = 10_000


def land(settings: Settings, metrics: int, warm_rows: int) -> tuple[Mark, Mark]:
    """Append the topic to a Delta table; return the marks after the warm-up and at the end."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, **_CONFIG})
    names = consumer.list_topics(TELEMETRY.name, timeout=30).topics[TELEMETRY.name].partitions
    starts = [TopicPartition(TELEMETRY.name, number, 0) for number in names]
    total = sum(consumer.get_watermark_offsets(start, timeout=30)[1] for start in starts)
    consumer.assign(starts)
    table = settings.home / "lake" / "plain"
    properties = WriterProperties(compression="ZSTD")
    rows, warm = 0, None
    for messages in _batches(consumer, total, settings.max_offsets_per_batch):
        frame = _frame(messages, metrics)
        write_deltalake(table, frame, mode="append", writer_properties=properties)
        rows += len(messages)
        if warm is None and rows >= warm_rows:
            warm = mark(rows)
    consumer.close()
    end = mark(rows)
    return warm or end, end


def _batches(consumer: Consumer, total: int, batch: int) -> Iterator[list[Message]]:
    read = 0
    while read < total:
        messages: list[Message] = []
        while len(messages) < min(batch, total - read):
            messages += consumer.consume(min(_AT_ONCE, batch - len(messages)), 1.0)
        read += len(messages)
        yield messages


def _frame(messages: list[Message], metrics: int) -> pl.DataFrame:
    fields = {name: _TYPES[type_] for name, type_ in metric_types(metrics).items()}
    said = {"v": pl.Int32(), "ts": pl.String(), "boot": pl.String(), "seq": pl.Int64()}
    lines = b"\n".join(message.value() or b"" for message in messages)
    parsed = pl.read_ndjson(lines, schema={**said, "metrics": pl.Struct(fields)})
    devices = pl.Series([message.key() for message in messages], dtype=pl.Binary)
    moments = pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC")
    return parsed.with_columns(moments, device_full=devices.cast(pl.String))
