"""Rows of files: those written last are kept, and are the rows that reading gives."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from spark_jobs.lake import Lake
from spark_jobs.row_files import RecentFiles, scan_files
from telemetry.tables import DEVICE_MINUTE
from tests.spark_jobs.test_table_files import minute, put


@pytest.mark.parametrize("retention_class", ["default", "30 d"])
def test_kept_rows_are_those_that_reading_gives(tmp_path: Path, retention_class: str) -> None:
    lake = Lake(str(tmp_path))
    lake.create(DEVICE_MINUTE)
    for number in (0, 1, 0):
        put(lake, minute(number, float(number), retention_class))
    files = lake.files(DEVICE_MINUTE)

    kept = lake.row_files(DEVICE_MINUTE).read(files)
    stored = Lake(lake.root).row_files(DEVICE_MINUTE).read(files)

    assert stored.height == 2
    assert_frame_equal(kept.sort("window_start"), stored.sort("window_start"))


def test_files_of_spark_have_the_columns_of_the_partition_as_well(tmp_path: Path) -> None:
    rows = minute(0)
    stored = rows.drop(DEVICE_MINUTE.partition_by)
    writes = {"ours": stored, "spark": rows, "older": stored.drop("stddev")}
    for name, frame in writes.items():
        frame.write_parquet(tmp_path / name)
    for order in (["ours", "spark", "older"], ["spark", "older", "ours"]):
        found = scan_files([str(tmp_path / name) for name in order], DEVICE_MINUTE).collect()
        expected = pl.concat([writes[name] for name in order], how="diagonal")
        assert_frame_equal(found, expected.select(found.columns), check_dtypes=False)
        assert not set(found.columns) & set(DEVICE_MINUTE.partition_by)


def test_kept_rows_are_not_read(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.create(DEVICE_MINUTE)
    put(lake, minute(0))
    files = lake.files(DEVICE_MINUTE)
    for path in tmp_path.rglob("*.parquet"):
        path.unlink()

    assert lake.row_files(DEVICE_MINUTE).read(files).height == 1
    with pytest.raises(FileNotFoundError):
        Lake(lake.root).row_files(DEVICE_MINUTE).read(files)


def test_no_more_rows_are_kept_than_allowed() -> None:
    recent, rows = RecentFiles(most_rows=3), pl.DataFrame({"x": [1, 2]})

    for path in ("a", "b"):
        recent.note(path, rows)
    assert recent.get("a") is None
    assert recent.get("b") is rows

    recent.note("c", pl.DataFrame({"x": range(4)}))
    assert [recent.get(path) for path in "abc"] == [None, None, None]
