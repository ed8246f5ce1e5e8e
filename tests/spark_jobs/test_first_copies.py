"""First copies that memory has forgotten are found in silver, and their bytes in bronze.

Only the files that may hold them are read: a day of commits is thousands of files, and what comes
twice comes while all else goes on.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pytest

from spark_jobs.dedup.names import Key
from spark_jobs.dedup.recent import Copy, digests
from spark_jobs.jobs.first_copies import FirstCopies
from spark_jobs.lake import Lake
from spark_jobs.schema import arrow_schema
from telemetry.tables import LATE, MESSAGES, READINGS, Table
from tests.spark_jobs.silver_rows import silver

FIRST = datetime(2026, 11, 14, 12, tzinfo=UTC)
COMMITS, EACH = 8, 5
LATE_COMMIT = 6
"""Whose messages are in `silver.late`."""


def at(seq: int) -> datetime:
    """Return when a message happened: commits lie hours apart, on several days."""
    return FIRST + timedelta(hours=11 * (seq // EACH), seconds=seq % EACH)


def body(seq: int) -> bytes:
    return b'{"seq":%d,"metrics":{"kwh":%d.5}}' % (seq, seq)


def key(seq: int) -> Key:
    return "default", "meter.d1", "b", seq


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def first(seq: int) -> Copy:
    digest = int(digests(pl.Series([body(seq)], dtype=pl.Binary))[0])
    return Copy("telemetry", 0, seq, 0, digest)


def record(seq: int) -> dict[str, object]:
    place = {"topic": "telemetry", "partition": 0, "offset": seq, "items": 1}
    times = {"kafka_time": at(seq), "received_at": at(seq), "received_date": at(seq).date()}
    return {**place, **times, "value": body(seq), "tenant": "default", "product": "meter"}


def reading(seq: int) -> dict[str, object]:
    names = {"tenant": "default", "product": "meter", "retention_class": "default"}
    times = {"event_time": at(seq), "received_at": at(seq)}
    whose = {"device_full": "meter.d1", "boot": "b", "seq": seq}
    return {**names, **times, **whose, "metric": "kwh", "value": seq + 0.5}


@pytest.fixture
def landed(lake: Lake) -> Lake:
    for table in (MESSAGES, READINGS, LATE):
        lake.create(table)
    for commit in range(COMMITS):
        mine = range(commit * EACH, (commit + 1) * EACH)
        records = pa.Table.from_pylist([*map(record, mine)], schema=arrow_schema(MESSAGES))
        lake.append(MESSAGES, records, None)
        table = LATE if commit == LATE_COMMIT else READINGS
        lake.append(table, silver(pl.DataFrame([*map(reading, mine)]), table), None)
    return lake


def lose(lake: Lake, table: Table, but: set[int]) -> int:
    """Take away the files of a table that hold none of some messages; count them."""
    gone = 0
    for path, low, high in lake.files(table).select("path", "min.offset", "max.offset").rows():
        if not any(low <= seq <= high for seq in but):
            Path(lake.uri(table), unquote(path)).unlink()
            gone += 1
    return gone


def test_only_files_that_may_hold_them_are_read(landed: Lake) -> None:
    wanted = {1, 4, 38, LATE_COMMIT * EACH}
    assert [lose(landed, table, wanted) for table in (MESSAGES, READINGS, LATE)] == [5, 5, 0]

    copies = FirstCopies(landed, remembered=1)
    found = copies.find({key(seq): us(at(seq)) for seq in wanted})

    assert found == {key(seq): first(seq) for seq in wanted}


def test_a_copy_of_another_time_or_of_none_is_found_as_well(landed: Lake) -> None:
    times = {0: us(at(39)), 7: None, 39: us(at(39)) + 1, 31: us(FIRST) - 10**12, 12: us(at(12))}
    found = FirstCopies(landed, remembered=1).find({key(seq): at for seq, at in times.items()})
    assert found == {key(seq): first(seq) for seq in times}


def test_what_silver_lacks_is_left_out(landed: Lake) -> None:
    nobody = "default", "meter.d2", "b", 3
    asked = {key(3): us(at(3)), key(40): us(at(39)), nobody: us(at(3))}
    assert FirstCopies(landed, remembered=1).find(asked) == {key(3): first(3)}
    assert FirstCopies(landed, remembered=1).find({}) == {}
