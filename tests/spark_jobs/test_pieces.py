"""Rows of files, some at a time: all of them, whatever the partitions are called."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from spark_jobs.lake import Lake
from spark_jobs.pieces import Since, newest, pieces
from telemetry.tables import READINGS
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
