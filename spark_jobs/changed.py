"""Which files of a table are new or asked for, and the rows in them as a Spark frame."""

import json
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from spark_jobs.lake import Lake
from telemetry.tables import Table

_PERIOD_STARTS = {"hour": "1mo", "sessions": "1mo", "day": "1y"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Files since a moment (None: all), or of some days; at most so many rows, newest first."""

    since: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None
    most_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """Files of a table: their paths below it, and the rows that the log says they hold."""

    paths: tuple[str, ...]
    rows: int


def files(lake: Lake, table: Table) -> pl.DataFrame:
    """Return the live files of a table as its log lists them, statistics beside them."""
    return pl.DataFrame(lake.table(table).get_add_actions(flatten=True))


def changed(listed: pl.DataFrame, table: Table, asked: Asked) -> Changed:
    """Return the files that are asked for."""
    wanted = listed.filter(*_days(table, asked), *_since(asked))
    newest = wanted.sort("modification_time", "path", descending=True)
    rows = newest["num_records"].fill_null(0)
    if asked.most_rows is not None:
        fitting = (rows.cum_sum() - rows) < asked.most_rows
        newest, rows = newest.filter(fitting), rows.filter(fitting)
    return Changed(tuple(newest["path"]), int(rows.sum()))


def _since(asked: Asked) -> list[pl.Expr]:
    if asked.since is None:
        return []
    return [pl.col("modification_time") >= int(asked.since.timestamp() * 1000)]


def _days(table: Table, asked: Asked) -> list[pl.Expr]:
    column = date_partition(table)
    if column is None:
        return []
    day = pl.col(f"partition.{column}")
    limits: list[pl.Expr] = []
    if asked.first_day is not None:
        limits.append(day >= _period_start(table, column, asked.first_day))
    if asked.last_day is not None:
        limits.append(day <= asked.last_day)
    return limits


def date_partition(table: Table) -> str | None:
    """Return the date column that a table is partitioned by, if it is."""
    types = {column.name: column.type for column in table.columns}
    return next((name for name in table.partition_by if types[name] == "date"), None)


def _period_start(table: Table, column: str, day: date) -> date:
    """Return the first day of the partition that holds a day: gold has longer ones."""
    unit = _PERIOD_STARTS.get(table.name.rpartition("_")[2].rpartition(".")[2], "1d")
    if column != "window_period":
        unit = "1d"
    start: date = pl.select(pl.lit(day).dt.truncate(unit)).item()
    return start


def frame(spark: SparkSession, lake: Lake, table: Table, wanted: Changed) -> DataFrame:
    """Return the rows of some files with the table's own schema, read past the Delta log.

    No table has deletion vectors or column mapping, so its files are its rows.
    """
    uri = lake.uri(table)
    schema = StructType.fromJson(json.loads(lake.table(table).schema().to_json()))
    paths = [f"{uri}/{path}" for path in wanted.paths]
    reader = spark.read.schema(schema).option("basePath", uri)
    return reader.parquet(*paths) if paths else spark.createDataFrame([], schema)
