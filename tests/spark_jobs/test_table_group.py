"""Several tables changed at once: each commit stands for itself, and a lost race is run again."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from spark_jobs.commit_info import Txn
from spark_jobs.lake import CommitError, Lake
from spark_jobs.table_files import Swap
from spark_jobs.table_group import Snapshots, Swaps, update_group
from telemetry.tables import DEVICE_MINUTE, ZONE_MINUTE, Table
from tests.spark_jobs.test_table_files import minute

TABLES = (DEVICE_MINUTE, ZONE_MINUTE)
TXN = Txn("gold/x", 0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path))
    for table in TABLES:
        made.create(table)
    return made


def row_of(table: Table, value: float) -> pl.DataFrame:
    row = minute(0, value)
    return row.rename({"device_full": table.key[2]}).select(table.column_names)


def adding(
    asked: list[list[str]], meanwhile: Callable[[], None] = lambda: None
) -> Callable[[Snapshots], Swaps]:
    """Return a change that puts the sum of what is stored plus one in its place."""

    def change(snapshots: Snapshots) -> Swaps:
        asked.append([table.name for table in snapshots])
        swaps = {}
        for table, snapshot in snapshots.items():
            paths = snapshot.files["path"]
            total = snapshot.read(paths)["sum"].sum()
            swaps[table] = Swap(paths, [], [row_of(table, float(total) + 1)])
        meanwhile()
        return swaps

    return change


def sums(lake: Lake) -> list[float]:
    return [lake.scan(table).collect()["sum"].item() for table in TABLES]


def test_each_table_is_committed_once_a_transaction(lake: Lake) -> None:
    asked: list[list[str]] = []

    first = update_group(lake, TABLES, adding(asked), TXN)
    again = update_group(lake, TABLES, adding(asked), TXN)

    assert (first, again) == ({DEVICE_MINUTE.name: 1, ZONE_MINUTE.name: 1}, {})
    assert asked == [[DEVICE_MINUTE.name, ZONE_MINUTE.name]]
    assert sums(lake) == [1.0, 1.0]


def test_a_batch_that_ended_between_two_commits_makes_the_rest(lake: Lake) -> None:
    update_group(lake, [DEVICE_MINUTE], adding([]), TXN)
    asked: list[list[str]] = []

    written = update_group(lake, TABLES, adding(asked), TXN)

    assert written == {ZONE_MINUTE.name: 1}
    assert asked == [[ZONE_MINUTE.name]]
    assert sums(lake) == [1.0, 1.0]


def test_only_the_table_that_another_writer_changed_is_made_again(lake: Lake) -> None:
    update_group(lake, TABLES, adding([]), Txn("gold/x", 0))
    other, asked = Lake(lake.root), list[list[str]]()

    def meanwhile() -> None:
        if len(asked) == 1:
            update_group(other, [ZONE_MINUTE], adding([]), Txn("other", 0))

    written = update_group(lake, TABLES, adding(asked, meanwhile), Txn("gold/x", 1))

    assert asked == [[DEVICE_MINUTE.name, ZONE_MINUTE.name], [ZONE_MINUTE.name]]
    assert written == {DEVICE_MINUTE.name: 1, ZONE_MINUTE.name: 1}
    assert sums(lake) == [2.0, 3.0]


def test_a_writer_that_is_always_faster_is_an_error(lake: Lake) -> None:
    update_group(lake, TABLES, adding([]), Txn("gold/x", 0))
    other, asked = Lake(lake.root), list[list[str]]()

    def meanwhile() -> None:
        update_group(other, [ZONE_MINUTE], adding([]), Txn("other", len(asked)))

    with pytest.raises(CommitError, match=ZONE_MINUTE.name):
        update_group(lake, TABLES, adding(asked, meanwhile), Txn("gold/x", 1), attempts=3)
    assert len(asked) == 3
