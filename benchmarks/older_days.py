"""Tables that are older than a day: rows of each day before, a file a day as compaction leaves."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from spark_jobs.lake import Lake
from spark_jobs.schema import arrow_schema
from telemetry.tables import MESSAGES, READINGS
from telemetry.topics import SPOOL_TOPIC
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

ROWS = fleet(seed=1, messages=20)


def grow_old(root: str, days: int, today: date) -> None:
    """Give bronze and silver below `root` rows of so many days, today's not among them.

    They came by the spool, so that what lands from Kafka is told from them.
    """
    if days < 2:
        return
    lake = Lake(root)
    for table in (MESSAGES, READINGS):
        lake.create(table)
    rows = pl.concat(_of_day(today - timedelta(days=ago)) for ago in range(1, days))
    offsets = rows.with_columns(seq=pl.struct("received_at", "seq").rank("dense").cast(pl.Int64))
    readings = silver(offsets, READINGS).with_columns(topic=pl.lit(SPOOL_TOPIC))
    lake.append(MESSAGES, _messages(readings), None)
    lake.append(READINGS, readings, None)


def _of_day(day: date) -> pl.DataFrame:
    at = pl.lit(datetime.combine(day, datetime.min.time(), UTC), pl.Datetime("us", "UTC"))
    return ROWS.with_columns(event_time=at, received_at=at, retention_class=pl.lit("default"))


def _messages(readings: pl.DataFrame) -> pl.DataFrame:
    """Return a record of bronze for each message."""
    schema = pl.DataFrame(arrow_schema(MESSAGES).empty_table()).schema
    said = {
        "items": pl.lit(1),
        "received_date": pl.col("received_at").dt.date(),
        **{name: pl.lit(None) for name in ("kafka_key", "value", "headers")},
    }
    records = readings.unique("offset", maintain_order=True).with_columns(**said)
    return records.select(pl.col(name).cast(kind) for name, kind in schema.items())
