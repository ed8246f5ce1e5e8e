"""Files with rows that a version had not: by the log, whatever their times say."""

from datetime import date
from pathlib import Path

import polars as pl
from deltalake import CommitProperties

from spark_jobs import packing, table_files
from spark_jobs.lake import Lake
from spark_jobs.new_files import files_since
from telemetry.tables import QUALITY

DAYS = (date(2026, 11, 20), date(2026, 11, 21))


def put(lake: Lake, *runs: str, day: date = DAYS[0]) -> None:
    """Append a row for each run: a file a call."""
    schema = lake.scan(QUALITY).collect_schema()
    plain = {"table": "a", "expectation": "b", "success": True, "checked_date": day}
    rows = [{name: {**plain, "run_id": run}.get(name) for name in schema} for run in runs]
    frame = pl.DataFrame(rows, schema=schema).with_columns(
        checked_at=pl.datetime(2026, 11, 20, time_zone="UTC")
    )
    lake.append(QUALITY, frame, None)


def version(lake: Lake) -> int:
    return lake.table(QUALITY).version()


def new(lake: Lake, since: int | None) -> list[str]:
    """Return the runs in the files that are new."""
    files = files_since(lake.table(QUALITY), since)
    if files.is_empty():
        return []
    return sorted(lake.row_files(QUALITY).read(files)["run_id"])


def pack(lake: Lake) -> None:
    packing.pack(lake, QUALITY, lake.files(QUALITY))


def test_files_of_later_commits_are_new(lake: Lake) -> None:
    lake.create(QUALITY)
    put(lake, "a")
    seen = version(lake)
    assert new(lake, seen) == []

    put(lake, "b")
    put(lake, "c", "d")

    assert new(lake, seen) == ["b", "c", "d"]
    assert new(lake, None) == ["a", "b", "c", "d"]


def test_file_that_was_written_long_before_it_was_committed_is_new(lake: Lake) -> None:
    lake.create(QUALITY)
    put(lake, "a")
    (early,) = lake.row_files(QUALITY).write([lake.scan(QUALITY).collect()])
    put(lake, "b")
    seen = version(lake)
    table_files.commit(lake.table(QUALITY), QUALITY, [early], CommitProperties())

    handle = Lake(lake.root).table(QUALITY)
    files = files_since(handle, seen)

    assert files["path"].to_list() == [early.path]
    newest = table_files.listed(handle)["modification_time"].max()
    assert files["modification_time"].item() < newest


def test_packing_makes_no_row_new(lake: Lake) -> None:
    lake.create(QUALITY)
    put(lake, "a")
    put(lake, "b")
    seen = version(lake)
    pack(lake)

    assert version(lake) > seen
    assert new(lake, seen) == []


def test_what_packs_new_rows_is_new_and_no_other_partition(lake: Lake) -> None:
    lake.create(QUALITY)
    for day in DAYS:
        put(lake, f"a{day.day}", day=day)
        put(lake, f"z{day.day}", day=day)
    seen = version(lake)
    put(lake, "b", day=DAYS[1])
    pack(lake)

    assert new(lake, seen) == ["a21", "b", "z21"]


def test_all_is_new_where_the_log_has_forgotten(lake: Lake) -> None:
    lake.create(QUALITY)
    put(lake, "a")
    seen = version(lake)
    put(lake, "b")
    put(lake, "c")
    handle = lake.table(QUALITY)
    (Path(lake.uri(QUALITY)) / "_delta_log" / f"{seen + 1:020d}.json").unlink()

    assert len(files_since(handle, seen)) == 3


def test_all_is_new_in_a_table_that_was_made_anew(lake: Lake) -> None:
    lake.create(QUALITY)
    put(lake, "a")
    assert new(lake, version(lake) + 5) == ["a"]
