"""Files of a gold table: closed ones stay, small ones are packed, and lost races are run again."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from spark_jobs import table_files
from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.table_files import Change
from spark_jobs.transforms.windows import completed, minutes
from telemetry.tables import DEVICE_MINUTE
from tests.spark_jobs.test_partials import readings

START = datetime(2026, 10, 20, 8, tzinfo=UTC)
NO_MARKS = pl.DataFrame(schema=dict.fromkeys(["tenant", "product"], pl.String())).with_columns(
    watermark=pl.lit(None, pl.Datetime("us", "UTC"))
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path))
    made.create(DEVICE_MINUTE)
    return made


def minute(number: int, value: float = 1.0, retention_class: str = "default") -> pl.DataFrame:
    """Return the row of one device's minute."""
    at = START + timedelta(minutes=number)
    frame = readings(value).with_columns(
        event_time=pl.lit(at).cast(pl.Datetime("us", "UTC")),
        retention_class=pl.lit(retention_class),
    )
    ended = minutes(frame).with_columns(window_end=pl.col("window_start") + timedelta(minutes=1))
    return completed(ended, DEVICE_MINUTE, NO_MARKS)


def put(lake: Lake, row: pl.DataFrame, txn: Txn | None = None) -> int | None:
    start = row["window_start"].max()
    change = Change(
        (row,),
        row.select("window_start"),
        (pl.col("min.window_start") <= start) & (pl.col("max.window_start") >= start),
    )
    return lake.update(DEVICE_MINUTE, lambda _: change, txn)


def test_a_new_window_leaves_the_files_of_others_alone(lake: Lake) -> None:
    put(lake, minute(0))
    before = set(lake.files(DEVICE_MINUTE)["path"])
    put(lake, minute(1))
    put(lake, minute(1, 2.0))

    assert before < set(lake.files(DEVICE_MINUTE)["path"])
    assert sorted(lake.scan(DEVICE_MINUTE).collect()["sum"]) == [1.0, 2.0]


def test_a_file_without_a_row_to_replace_stays(lake: Lake) -> None:
    put(lake, pl.concat([minute(0), minute(2)]))
    other = minute(1)
    change = Change((other,), other.select(DEVICE_MINUTE.key), pl.lit(value=True))
    before = set(lake.files(DEVICE_MINUTE)["path"])

    lake.update(DEVICE_MINUTE, lambda _: change, None)

    assert before < set(lake.files(DEVICE_MINUTE)["path"])


def test_nothing_to_write_and_nothing_to_replace_is_no_commit(lake: Lake) -> None:
    nothing = minute(0).clear()
    lake.update(
        DEVICE_MINUTE,
        lambda _: Change((nothing,), nothing.select(DEVICE_MINUTE.key), pl.lit(value=True)),
        None,
    )

    assert lake.table(DEVICE_MINUTE).version() == 0


def test_too_many_small_files_become_one(lake: Lake) -> None:
    for number in range(table_files.MOST_SMALL + 2):
        put(lake, minute(number))

    assert lake.files(DEVICE_MINUTE).height <= 3
    packing, change = lake.table(DEVICE_MINUTE).history(2)
    assert int(packing["packed"]) > table_files.MOST_SMALL
    assert "packed" not in change
    assert lake.scan(DEVICE_MINUTE).collect().height == table_files.MOST_SMALL + 2


def test_files_carry_statistics_of_what_queries_filter_on(lake: Lake) -> None:
    put(lake, minute(7))

    file = lake.files(DEVICE_MINUTE).row(0, named=True)

    assert file["num_records"] == 1
    assert file["min.window_start"] == file["max.window_start"] == START + timedelta(minutes=7)
    assert file["min.device_full"] == "d"
    assert file["partition.window_period"] == date(2026, 10, 20)


def test_a_class_named_by_its_span_has_files_too(lake: Lake) -> None:
    put(lake, minute(0, retention_class="30 d"))
    put(lake, minute(0, 5.0, retention_class="30 d"))

    found = lake.scan(DEVICE_MINUTE).filter(pl.col("retention_class") == "30 d").collect()

    assert found["sum"].to_list() == [5.0]


def test_a_transaction_is_committed_once(lake: Lake) -> None:
    assert put(lake, minute(0), Txn("gold/x", 0)) == 1
    assert put(lake, minute(0, 9.0), Txn("gold/x", 0)) is None

    assert lake.scan(DEVICE_MINUTE).collect()["sum"].to_list() == [1.0]


def test_a_change_is_made_again_when_another_writer_was_faster(lake: Lake) -> None:
    put(lake, minute(0))
    other, seen = Lake(lake.root), []

    def add_one(stored: pl.LazyFrame) -> Change:
        seen.append(stored.collect()["sum"].item())
        if len(seen) == 1:
            put(other, minute(0, 10.0))
        row = minute(0, seen[-1] + 1)
        return Change((row,), row.select(DEVICE_MINUTE.key), pl.lit(value=True))

    lake.update(DEVICE_MINUTE, add_one, None)

    assert seen == [1.0, 10.0]
    assert lake.scan(DEVICE_MINUTE).collect()["sum"].to_list() == [11.0]
