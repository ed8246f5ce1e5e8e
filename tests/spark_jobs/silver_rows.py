"""Rows of silver from readings, what gold does not look at filled in."""

import polars as pl

from spark_jobs.schema import arrow_schema
from telemetry.tables import Table


def silver(readings: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return readings with all the columns of a table of silver."""
    empty = pl.from_arrow(arrow_schema(table).empty_table())
    assert isinstance(empty, pl.DataFrame)
    filled = readings.with_columns(
        device=pl.col("device_full").str.split(".").list.last(),
        event_time_us=pl.col("event_time").cast(pl.Int64),
        event_date=pl.col("event_time").dt.date(),
        topic=pl.lit("telemetry"),
        partition=pl.lit(0),
        offset=pl.col("seq"),
        item=pl.lit(0),
        kafka_time="received_at",
    )
    missing = [
        pl.lit(None, dtype=kind).alias(name)
        for name, kind in empty.schema.items()
        if name not in filled.columns
    ]
    return filled.with_columns(missing).select(
        pl.col(name).cast(kind) for name, kind in empty.schema.items()
    )
