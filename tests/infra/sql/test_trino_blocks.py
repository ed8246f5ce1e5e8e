"""Trino reads silver's files, whose row groups share column chunks, as rows like others."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from infra.sql.trino_engine import query_trino
from spark_jobs.lake import Lake
from spark_jobs.reading_rows import Block, ReadingRows
from spark_jobs.schema import comment
from telemetry.settings import Settings
from telemetry.tables import READINGS, TABLES
from tests.end_to_end.stack import Stack, free_port_base
from tests.spark_jobs.reading_blocks import COUNT, messages, values

pytestmark = [pytest.mark.trino, pytest.mark.stack]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("trino_blocks")
    lake = Lake(str(home / "lake"))
    lake.create_all()
    blocks = (Block(messages(), values()), Block(messages(), values(kwh=np.arange(COUNT) < 4)))
    lone = next(Block(messages(3), values(3)).rows())
    lake.append(READINGS, ReadingRows(blocks, lone), None)
    stack = Stack(home, free_port_base())
    try:
        stack.run("up", "--only", "trino")
        yield Settings(home=home, port_base=stack.port_base)
    finally:
        stack.run("down", check=False)


def test_sums_of_every_metric_are_those_of_polars(settings: Settings) -> None:
    said = query_trino(
        settings,
        "select metric, count(*), count(value), sum(value), sum(seq), sum(event_time_us - "
        "1700000000000000), count(value_text), count(value_bool), min(device_full), count(tags)"
        " from silver.readings group by metric order by metric",
    )
    rows = (
        Lake(settings.lake_root)
        .scan(READINGS)
        .group_by("metric")
        .agg(
            pl.len(),
            pl.col("value").count().alias("values"),
            pl.col("value").sum().alias("sum"),
            pl.col("seq").sum(),
            (pl.col("event_time_us") - 1_700_000_000_000_000).sum(),
            pl.col("value_text").count(),
            pl.col("value_bool").count(),
            pl.col("device_full").min(),
            pl.col("tags").count(),
        )
    )
    expected = (
        rows.with_columns(sum=pl.when(pl.col("values") > 0).then("sum")).sort("metric").collect()
    )
    assert [tuple(row) for row in said.rows] == expected.rows()


def test_one_metric_of_one_device_is_found(settings: Settings) -> None:
    said = query_trino(
        settings,
        "select seq, value from silver.readings where metric = 'kwh' and device_full = 'meter.d7'"
        " and seq > 990 order by seq",
    )
    twice = [(seq, seq / 8) for seq in (997, 1007) for _ in range(2)]
    assert [tuple(row) for row in said.rows] == twice, "each of two blocks has them"


def test_every_table_and_column_has_the_comment_of_its_declaration(settings: Settings) -> None:
    of = "where {}= 'lake' and {} <> 'information_schema'"
    tables = query_trino(
        settings,
        "select schema_name || '.' || table_name, comment from system.metadata.table_comments "
        + of.format("catalog_name ", "schema_name"),
    )
    assert {row[0]: row[1] for row in tables.rows} == {t.name: t.description for t in TABLES}
    columns = query_trino(
        settings,
        "select table_schem || '.' || table_name, column_name, remarks from system.jdbc.columns "
        + of.format("table_cat ", "table_schem"),
    )
    assert {(row[0], row[1]): row[2] for row in columns.rows} == {
        (table.name, column.name): comment(column) for table in TABLES for column in table.columns
    }


def test_statistics_of_the_log_are_those_of_trino(settings: Settings) -> None:
    shown = {row[0]: row for row in query_trino(settings, "show stats for silver.readings").rows}
    rows = Lake(settings.lake_root).scan(READINGS).collect()
    low, high = shown["event_time_us"][5:7]
    assert shown[None][4] == len(rows)
    assert (int(str(low)), int(str(high))) == (
        rows["event_time_us"].min(),
        rows["event_time_us"].max(),
    )
    assert shown["device_full"][3] == 0, "share of nulls"
