"""Appends by the log alone: each once, whole, at a version of its own, whoever writes beside."""

import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from spark_jobs import packing
from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.log_files import TIDIED_EVERY
from spark_jobs.log_tail import LogTail
from telemetry.tables import READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.made_checkpoints import checkpoints
from tests.spark_jobs.silver_rows import silver

ROWS = silver(fleet(seed=1, messages=1), READINGS).head(3)
WRITERS, EACH = 3, 40


def rows(number: int, retention_class: str = "default") -> pl.DataFrame:
    return ROWS.with_columns(offset=pl.lit(number), retention_class=pl.lit(retention_class))


def numbers(lake: Lake) -> list[int]:
    """Return the numbers of the batches that another reader finds, each as often as it is there."""
    found = pl.scan_delta(DeltaTable(lake.uri(READINGS))).select("offset").collect()["offset"]
    assert len(found) % len(ROWS) == 0
    return sorted(found.to_list())[:: len(ROWS)]


def log_of(lake: Lake) -> Path:
    return Path(lake.uri(READINGS), "_delta_log")


def said(lake: Lake, version: int) -> dict[str, object]:
    """Return what a version's commit says of itself."""
    first = (log_of(lake) / f"{version:020d}.json").read_text().splitlines()[0]
    about: dict[str, object] = json.loads(first)["commitInfo"]
    return about


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    lake.create(READINGS)
    return lake


def test_appends_are_read_by_others_and_checkpoints_are_made(lake: Lake) -> None:
    for number in range(60):
        assert lake.append(READINGS, rows(number), Txn("landing/a", number), {"batch": str(number)})
    assert numbers(lake) == [*range(60)]
    assert checkpoints(lake.uri(READINGS), 1) == [49]
    assert {said(lake, version)["engineInfo"] for version in range(1, 61)} == {"headwater"}
    assert said(lake, 60)["batch"] == "59"
    newest = DeltaTable(lake.uri(READINGS))
    assert newest.transaction_version("landing/a") == 59
    assert newest.history(1)[0]["operationParameters"]["mode"] == "Append"


@pytest.mark.parametrize("others", ["lake", "same"])
def test_transaction_of_another_process_is_known(lake: Lake, others: str) -> None:
    other = Lake(lake.root) if others == "lake" else lake
    assert lake.append(READINGS, rows(0), Txn("landing/a", 0))
    assert other.append(READINGS, rows(1), Txn("landing/a", 1))
    assert not lake.append(READINGS, rows(1), Txn("landing/a", 1))
    assert not Lake(lake.root).append(READINGS, rows(0), Txn("landing/a", 0))
    assert numbers(lake) == [0, 1]


def test_transaction_that_comes_while_files_are_written_is_known(lake: Lake) -> None:
    other = Lake(lake.root)
    assert lake.append(READINGS, rows(0), Txn("landing/a", 0))
    tail = LogTail(lambda: lake.table(READINGS), lambda version: None)

    def files() -> list[object]:
        assert other.append(READINGS, rows(1), Txn("landing/a", 1))
        return []

    told = tail.append(files, Txn("landing/a", 1), {})  # type: ignore[arg-type]
    assert told is not None
    assert not told.is_new


def test_table_that_changed_is_left_to_delta_rs(lake: Lake) -> None:
    lake.append(READINGS, rows(0), None)
    lake.append(READINGS, rows(1), None)
    DeltaTable(lake.uri(READINGS)).alter.set_table_properties({"delta.checkpointInterval": "3"})
    for number in (2, 3, 4):
        lake.append(READINGS, rows(number), None)
    writers = [str(said(lake, version)["engineInfo"])[:8] for version in (2, 4, 5, 6)]
    assert writers == ["headwate", "delta-rs", "headwate", "headwate"]
    assert checkpoints(lake.uri(READINGS), 1) == [5]
    assert numbers(lake) == [0, 1, 2, 3, 4]


def test_appends_go_on_where_no_checkpoint_can_be_made(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    DeltaTable(lake.uri(READINGS)).alter.set_table_properties({"delta.checkpointInterval": "3"})
    # A folder of that name: nobody can put a file in its place.
    (log_of(lake) / f"{5:020d}.checkpoint.parquet" / "taken").mkdir(parents=True)
    for number in range(8):
        lake.append(READINGS, rows(number), Txn("landing/a", number))
    until = time.monotonic() + 20
    while "has no checkpoint of version 5" not in caplog.text and time.monotonic() < until:
        time.sleep(0.05)
    assert "has no checkpoint of version 5" in caplog.text
    assert checkpoints(lake.uri(READINGS), 2) == [2, 8]
    assert numbers(lake) == [*range(8)]


def test_one_append_in_many_is_left_to_delta_rs_which_tidies_the_log(lake: Lake) -> None:
    lake.append(READINGS, rows(0), None)
    about = (log_of(lake) / f"{1:020d}.json").read_text().splitlines()[0]
    for version in range(2, TIDIED_EVERY - 1):
        (log_of(lake) / f"{version:020d}.json").write_text(about + "\n")
    for number in (1, 2):
        lake.append(READINGS, rows(number), None)
    writers = [str(said(lake, TIDIED_EVERY + at)["engineInfo"])[:8] for at in (-1, 0)]
    assert writers == ["delta-rs", "headwate"]
    assert numbers(lake) == [0, 1, 2]


def test_path_that_engines_write_in_two_ways_is_left_to_delta_rs(lake: Lake) -> None:
    for number, name in enumerate(("default", "a b+c", "default")):
        lake.append(READINGS, rows(number, name), None)
    writers = [str(said(lake, version)["engineInfo"])[:8] for version in (1, 2, 3)]
    assert writers == ["headwate", "delta-rs", "headwate"]
    DeltaTable(lake.uri(READINGS)).delete("retention_class = 'a b+c'")
    assert numbers(lake) == [0, 2]


def test_table_with_features_is_left_to_delta_rs(lake: Lake) -> None:
    lake.append(READINGS, rows(0), None)
    handle = DeltaTable(lake.uri(READINGS))
    handle.alter.set_table_properties({"delta.enableChangeDataFeed": "true"})
    lake.append(READINGS, rows(1), None)
    lake.append(READINGS, rows(2), None)
    assert str(said(lake, handle.version() + 2)["engineInfo"]).startswith("delta-rs")
    assert numbers(lake) == [0, 1, 2]


def append_some(root: str, writer: int) -> None:
    lake = Lake(root)
    for number in range(EACH):
        assert lake.append(READINGS, rows(writer * EACH + number), Txn(f"landing/{writer}", number))


def pack_often(root: str) -> None:
    lake = Lake(root)
    for _ in range(6):
        small = lake.files(READINGS).filter(packing.is_small())
        for group in packing.groups(small, READINGS):
            packing.pack(lake, READINGS, group)


def test_writers_beside_one_another_lose_nothing(lake: Lake) -> None:
    apart = multiprocessing.get_context("spawn")
    work: list[tuple[Callable[..., None], tuple[object, ...]]] = [(pack_often, (lake.root,))]
    work += [(append_some, (lake.root, writer)) for writer in range(WRITERS)]
    processes = [apart.Process(target=target, args=given) for target, given in work]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert numbers(lake) == [*range(WRITERS * EACH)]
    assert list(log_of(lake).glob("*.tmp")) == []


@settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["append", "append", "append", "delete", "property", "pack"]),
            st.integers(0, 2),
            st.integers(0, 4),
        ),
        max_size=14,
    )
)
def test_lakes_agree_with_a_list(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    root = str(tmp_path_factory.mktemp("lake"))
    lakes = [Lake(root), Lake(root), Lake(root)]
    lakes[0].create(READINGS)
    expected, newest = list[int](), -1
    for step, (act, who, number) in enumerate(steps):
        if act == "append":
            is_new = lakes[who].append(READINGS, rows(number), Txn("landing/a", number))
            assert is_new == (number > newest)
            if is_new:
                expected, newest = [*expected, number], number
        elif act == "delete":
            lakes[who].delete(READINGS, f"offset = {number}")
            expected = [each for each in expected if each != number]
        elif act == "property":
            words = {"delta.logRetentionDuration": f"interval {step + 1} hours"}
            DeltaTable(lakes[who].uri(READINGS)).alter.set_table_properties(words)
        else:
            small = lakes[who].files(READINGS)
            for group in packing.groups(small, READINGS):
                packing.pack(lakes[who], READINGS, group)
    assert numbers(lakes[0]) == sorted(expected)


def test_spark_reads_and_rewrites_what_was_appended(lake: Lake, spark: SparkSession) -> None:
    for number in range(3):
        lake.append(READINGS, rows(number), Txn("landing/a", number))
    assert lake.frame(spark, READINGS).count() == 3 * len(ROWS)
    spark.sql(f"delete from delta.`{lake.uri(READINGS)}` where offset = 1")
    assert lake.append(READINGS, rows(3), Txn("landing/a", 3))
    assert not lake.append(READINGS, rows(3), Txn("landing/a", 3))
    assert numbers(lake) == [0, 2, 3]
    assert lake.frame(spark, READINGS).count() == 3 * len(ROWS)


def test_entry_that_finds_no_room_leaves_nothing_behind(lake: Lake) -> None:
    tail = LogTail(lambda: lake.table(READINGS), lambda version: None)
    partition: dict[str, str | None] = {"retention_class": "default", "event_date": "2026-10-20"}
    file = AddAction("a.parquet", 1, partition, 0, True, "{}")
    room, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, most))
    try:
        with pytest.raises(OSError, match="too large"):
            tail.append(lambda: [file], None, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))

    assert [*log_of(lake).glob("*.tmp")] == []
    appended = tail.append(lambda: [file], None, {})
    assert appended is not None
    assert appended.is_new
