"""Rows of files, some at a time: all of them, whatever the partitions are called."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from spark_jobs.lake import Lake
from spark_jobs.pieces import Since, newest, pieces, pieces_in_time
from telemetry.tables import LATE, READINGS, Table
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver


@pytest.mark.parametrize("retention_class", ["default", "30 d"])
def test_all_rows_come_in_pieces(tmp_path: Path, retention_class: str) -> None:
    lake = Lake(str(tmp_path))
    lake.create(READINGS)
    rows = fleet(seed=1, messages=9).with_columns(retention_class=pl.lit(retention_class))
    lake.append(READINGS, silver(rows, READINGS), None)
    later = datetime.now(UTC) + timedelta(hours=1)
    long_ago = later - timedelta(days=1)

    found = pl.concat(piece.select("seq", "metric").collect() for piece in pieces(lake, READINGS))

    assert found.sort(pl.all()).equals(rows.select("seq", "metric").sort(pl.all()))
    assert newest(lake, READINGS, rows.height).collect().height == rows.height
    assert not list(pieces(lake, READINGS, Since({}, later)))
    assert not list(pieces(lake, READINGS, Since({READINGS.name: 1}, long_ago)))
    (found_by_log,) = pieces(lake, READINGS, Since({READINGS.name: 0}, later))
    assert found_by_log.collect().height == rows.height
    # A lake that is older than what was saved, or a log that does not go back so far.
    assert not list(pieces(lake, READINGS, Since({READINGS.name: 5}, later)))


@pytest.mark.parametrize("turned", [False, True])
def test_rows_that_came_last_come_last_whenever_their_files_were_written(
    tmp_path: Path, turned: bool
) -> None:
    lake = Lake(str(tmp_path))
    parts: list[tuple[Table, int]] = [(READINGS, 0), (LATE, 1), (READINGS, 2), (LATE, 3)]
    for table in (READINGS, LATE):
        lake.create(table)
    for table, days in reversed(parts) if turned else parts:
        at = pl.col("received_at") + timedelta(days=days)
        rows = fleet(seed=1, messages=9).with_columns(received_at=at, boot=pl.lit(f"b{days}"))
        lake.append(table, silver(rows, table), None)

    found = [
        piece.select(pl.col("boot").unique()).collect()["boot"].to_list()
        for piece in pieces_in_time(lake, (READINGS, LATE), rows=1)
    ]

    assert [boot for (boot,) in found] == sorted(boot for (boot,) in found)
    assert {boot for (boot,) in found} == {"b0", "b1", "b2", "b3"}
