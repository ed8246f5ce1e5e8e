"""Files that are written from columns: one a partition, with statistics that readers prune by."""

from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest

from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.schema import arrow_schema
from spark_jobs.table_files import is_append
from telemetry.errors import HeadwaterError
from telemetry.tables import LATE, READINGS

WORD = pa.dictionary(pa.int32(), pa.string())


def rows(*days: int, **changes: object) -> pa.Table:
    """Return a reading a day, its texts as words."""
    said = {
        "tenant": "default",
        "device_full": "meter.d1",
        "boot": "",
        "metric": "kwh",
        "device": "d1",
        "product": "meter",
        "value": 1.5,
        "tags": {"line": "3"},
        "topic": "telemetry",
        "partition": 0,
        "item": 0,
        "retention_class": "default",
        **changes,
    }
    found = pa.Table.from_pylist([_row(said, day) for day in days], schema=_NULLABLE)
    words = [
        pa.field(each.name, WORD if each.type == pa.string() else each.type)
        for each in found.schema
    ]
    return found.cast(pa.schema(words))


_NULLABLE = pa.schema([each.with_nullable(True) for each in arrow_schema(READINGS)])


def _row(said: dict[str, object], day: int) -> dict[str, object]:
    at = datetime(2026, 11, day, 8, 0, 0, day, tzinfo=UTC)
    return {"seq": day, "offset": day, "event_time": at, "event_date": at.date(), **said}


@pytest.fixture
def silver(lake: Lake) -> Lake:
    lake.create(READINGS)
    return lake


def test_words_are_texts_to_every_reader(silver: Lake) -> None:
    silver.append(READINGS, rows(1, 2), None)
    found = silver.scan(READINGS).collect().sort("seq")
    assert found["device_full"].to_list() == ["meter.d1", "meter.d1"]
    assert found.schema["device_full"] == pl.String()
    assert found["event_date"].to_list() == [date(2026, 11, 1), date(2026, 11, 2)]
    arrow = silver.table(READINGS).to_pyarrow_table(columns=["tags", "metric"])
    assert arrow.to_pylist()[0] == {"tags": [("line", "3")], "metric": "kwh"}


def test_file_a_partition_has_its_statistics(silver: Lake) -> None:
    silver.append(READINGS, rows(1, 1, 2), None)
    files = silver.files(READINGS).sort("partition.event_date")
    assert files["num_records"].to_list() == [2, 1]
    assert files["min.event_time"].to_list() == [
        datetime(2026, 11, day, 8, 0, 0, day, tzinfo=UTC) for day in (1, 2)
    ]
    assert files["max.device_full"].to_list() == ["meter.d1", "meter.d1"]
    assert files["null_count.received_at"].to_list() == [2, 1]
    assert "min.value" not in files.columns


def test_statistics_of_the_first_year_and_of_long_texts_are_read(silver: Lake) -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    old = rows(1, event_time=first, event_date=first.date(), device_full="d" * 100_000)
    silver.append(READINGS, old, None)
    silver.append(READINGS, rows(2), None)
    files = silver.files(READINGS).sort("min.event_time")
    assert files["min.event_time"].to_list()[0] == first
    assert files["max.device_full"].str.len_chars().max() == 301
    found = silver.scan(READINGS).filter(pl.col("device_full") == "d" * 100_000).collect()
    assert found["event_time"].to_list() == [first]


def test_row_without_what_is_required_is_refused(silver: Lake) -> None:
    with pytest.raises(HeadwaterError, match=r"silver\.readings: a row has no metric"):
        silver.append(READINGS, rows(1, metric=None), None)


def test_tables_with_bytes_and_lists_are_written(lake: Lake) -> None:
    lake.create(LATE)
    late = rows(1).append_column("message", pa.array([b"{}"]))
    reason = [{"field": "ts", "rule": "late", "value": "31 s late"}]
    late = late.append_column("reasons", pa.array([reason]))
    lake.append(LATE, late.append_column("replayed_at", pa.nulls(1)), None)
    assert lake.scan(LATE).select("message", "reasons").collect().row(0) == (b"{}", reason)


def test_no_row_is_a_commit_without_a_file(silver: Lake) -> None:
    assert silver.append(READINGS, rows(1).slice(0, 0), Txn("landing/a", 0))
    assert not silver.append(READINGS, rows(1), Txn("landing/a", 0))
    assert silver.files(READINGS).is_empty()


def test_commit_says_its_rows_and_that_it_appends(silver: Lake) -> None:
    silver.append(READINGS, rows(1, 2), None)
    commit = silver.table(READINGS).history(1)[0]
    assert (commit["rows"], is_append(commit)) == ("2", True)
