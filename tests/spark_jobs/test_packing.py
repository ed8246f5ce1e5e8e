"""Small files become few while others append, overwrite and pack: no row is lost or doubled."""

import argparse
import json
import os
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from spark_jobs import packing
from spark_jobs.commit_info import Txn
from spark_jobs.gold_state import Position
from spark_jobs.jobs import compact
from spark_jobs.jobs.gold import behind_rewrites
from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import DEVICE_MINUTE, JOB_RUNS, READINGS, Table
from tests.spark_jobs.gold_fleet import NOON, fleet
from tests.spark_jobs.silver_rows import silver

DAYS = 8


def readings(day: int, number: int = 0) -> pl.DataFrame:
    """Return a batch of one day, with tags."""
    rows = silver(fleet(seed=day, messages=5, span_s=60), READINGS)
    at = pl.col("event_time") + timedelta(days=day)
    tag = pl.struct(key=pl.lit("line"), value=pl.col("metric"))
    tags = pl.concat_list(tag).cast(rows.schema["tags"])
    return rows.with_columns(
        event_time=at, event_date=at.dt.date(), boot=pl.lit(f"b{day}-{number}"), tags=tags
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with some days of history, three files a day."""
    home = tmp_path_factory.mktemp("stored")
    lake = Lake(Settings(home=home).lake_root)
    for table in (READINGS, JOB_RUNS):
        lake.create(table)
    for number in range(3):
        days = pl.concat(readings(day, number) for day in range(DAYS))
        lake.append(READINGS, days, Txn("landing/x", number))
    return home


@pytest.fixture
def home(stored: Path, tmp_path: Path) -> Settings:
    """Return a copy of it."""
    return Settings(home=shutil.copytree(stored, tmp_path / "home"))


def small(lake: Lake, table: Table = READINGS) -> pl.DataFrame:
    return lake.files(table).filter(packing.is_small())


def pack_all(lake: Lake) -> int:
    groups = packing.groups(small(lake), READINGS)
    return sum(packing.pack(lake, READINGS, group) for group in groups)


def wait_for_more(appended: list[int]) -> None:
    """Wait for two appends, so that there is something to pack however busy the machine is."""
    known, until = len(appended), time.monotonic() + 30
    while len(appended) < known + 2:
        assert time.monotonic() < until
        time.sleep(0.01)


def content(lake: Lake) -> pl.DataFrame:
    return lake.scan(READINGS).sort(READINGS.key).collect()


def run(settings: Settings, *words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    compact.add_arguments(parser)
    arguments = parser.parse_args(["--tables", READINGS.name, *words])
    return dict(compact.run(arguments, settings, Lake(settings.lake_root)))


def test_tables_that_are_not_there_are_refused(home: Settings) -> None:
    with pytest.raises(HeadwaterError, match=r"no table silver\.reading: choose of .*silver\.late"):
        run(home, "silver.reading")


def test_all_days_are_packed_by_one_commit_that_changes_no_row(home: Settings) -> None:
    lake = Lake(home.lake_root)
    before, version = content(lake), lake.table(READINGS).version()
    aged = lake.files(READINGS)["modification_time"].max()
    partitions = lake.files(READINGS).select("^partition[.].*$").n_unique()

    pack_all(lake)

    assert_frame_equal(content(lake), before)
    assert lake.files(READINGS).height == partitions
    assert lake.table(READINGS).version() == version + 1
    assert lake.files(READINGS)["modification_time"].max() == aged, "nothing was written"
    log = Path(lake.uri(READINGS)) / "_delta_log" / f"{version + 1:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    changes = [each for action in actions for each in action.values() if "dataChange" in each]
    assert {each["dataChange"] for each in changes} == {False}


def test_days_that_are_asked_for_are_packed_alone(home: Settings) -> None:
    lake, first = Lake(home.lake_root), NOON.date()

    run(home, "--from", str(first + timedelta(days=1)), "--to", str(first + timedelta(days=2)))

    names = ("partition.retention_class", "partition.event_date")
    for _, day, files in lake.files(READINGS).group_by(names).len().iter_rows():
        assert files == (1 if (day - first).days in (1, 2) else 3)


def test_gold_passes_over_a_packing_of_silver(home: Settings) -> None:
    lake = Lake(home.lake_root)
    read = Position(lake.table(READINGS).version() + 1)
    pack_all(lake)

    assert behind_rewrites(lake, READINGS, read) == Position(read.version + 1)


def test_files_stay_sorted_within_a_partition(home: Settings) -> None:
    lake = Lake(home.lake_root)
    pack_all(lake)

    path = lake.files(READINGS)["path"][0]
    rows = pl.read_parquet(f"{lake.uri(READINGS)}/{path}", hive_partitioning=False)
    assert rows["device_full"].is_sorted()


def test_two_packings_of_the_same_files_double_nothing(home: Settings) -> None:
    lake, other = Lake(home.lake_root), Lake(home.lake_root)
    before = content(lake)
    groups = [*packing.groups(small(lake), READINGS)]

    assert sum(packing.pack(other, READINGS, group) for group in groups)
    assert not sum(packing.pack(lake, READINGS, group) for group in groups)
    assert_frame_equal(content(lake), before)


def test_an_overwrite_beside_a_packing_leaves_no_old_row(home: Settings) -> None:
    lake, other = Lake(home.lake_root), Lake(home.lake_root)
    rows = readings(99)
    lake.table(READINGS)

    pack_all(other)
    lake.replace(READINGS, rows, None, None)

    assert content(lake).height == rows.height


def test_packing_wins_beside_ten_appends_a_second(home: Settings) -> None:
    lake, appender = Lake(home.lake_root), Lake(home.lake_root)
    stopping, appended = threading.Event(), list[int]()

    def append() -> None:
        while not stopping.wait(0.1):
            number = len(appended)
            assert appender.append(READINGS, readings(DAYS, number), Txn("landing/y", number))
            appended.append(number)

    thread = threading.Thread(target=append)
    thread.start()
    try:
        for _ in range(5):
            wait_for_more(appended)
            assert pack_all(lake)
    finally:
        stopping.set()
        thread.join()

    pack_all(lake)
    rows = content(lake)
    assert not rows.select(READINGS.key).is_duplicated().any()
    assert rows.height == readings(0).height * (3 * DAYS + len(appended))


def test_a_file_that_is_changed_meanwhile_is_packed_as_it_is_then(home: Settings) -> None:
    lake = Lake(home.lake_root)
    groups = [*packing.groups(small(lake), READINGS)]
    gone = (NOON + timedelta(days=3)).date()

    Lake(home.lake_root).delete(READINGS, f"event_date = date'{gone}'")
    for group in groups:
        packing.pack(lake, READINGS, group)

    assert gone not in content(lake)["event_date"]
    assert small(lake).group_by("^partition[.].*$").len()["len"].max() == 1


def test_texts_too_long_for_memory_are_packed_by_halves(home: Settings) -> None:
    lake = Lake(home.lake_root)
    (group,) = packing.groups(small(lake), READINGS)
    before, version = content(lake), lake.table(READINGS).version()

    packing.pack(lake, READINGS, group, most_unpacked=50_000)

    assert lake.table(READINGS).version() > version + 1
    assert_frame_equal(content(lake), before)


def test_a_column_that_old_files_lack_is_empty_in_their_rows(home: Settings) -> None:
    lake = Lake(home.lake_root)
    (path, *_) = lake.files(READINGS)["path"]
    file = Path(lake.uri(READINGS)) / path
    pl.read_parquet(file, hive_partitioning=False).drop("firmware").write_parquet(file)

    pack_all(lake)

    assert content(lake)["firmware"].null_count() == content(lake).height


def test_a_run_ends_with_its_time_and_the_next_goes_on(home: Settings) -> None:
    lake = Lake(home.lake_root)
    first = run(home, "--within", "0")
    assert first["left"] == lake.files(READINGS).height

    second = run(home)

    assert second["left"] == 0
    assert run(home)["tables"] == {}


def test_gold_s_open_partition_is_left_to_gold(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.create(DEVICE_MINUTE)
    today = datetime.now(UTC).date()

    plan = compact.planned(lake, DEVICE_MINUTE, today)

    assert plan.crowd == 0


@st.composite
def files(draw: st.DrawFn) -> pl.DataFrame:
    """Draw files of a few partitions, some too large to be read with any other."""
    sizes = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 400_000)), max_size=40))
    rows = [
        {
            "path": str(number),
            "size": rows * 40,
            "num_records": rows,
            "modification_time": number,
            "partition.retention_class": "default",
            "partition.event_date": day,
        }
        for number, (day, rows) in enumerate(sizes)
    ]
    schema = ["path", "size", "num_records", "modification_time"]
    schema += ["partition.retention_class", "partition.event_date"]
    return pl.DataFrame(rows, schema=schema)


@hypothesis.settings(deadline=None)
@given(files())
def test_groups_hold_each_file_once_and_fit_into_memory(drawn: pl.DataFrame) -> None:
    if drawn.is_empty():
        return
    found = [*packing.groups(drawn, READINGS)]

    assert sorted(path for group in found for path in group["path"]) == sorted(drawn["path"])
    for group in found:
        assert len(group) == 1 or group["num_records"].sum() <= packing.MOST_ROWS


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
def test_spark_sorts_a_closed_partition_that_memory_does_not_hold(tmp_path: Path) -> None:
    made = Settings(home=tmp_path)
    lake = Lake(made.lake_root)
    for table in (READINGS, JOB_RUNS):
        lake.create(table)
    some = silver(fleet(seed=1, messages=10, span_s=60), READINGS)
    some = some.filter(retention_class="default")
    # Texts that hardly compress make few rows more than what is read at once.
    size = packing.MOST_BYTES // (8 * len(some))
    for number in range(9):
        texts = pl.Series([os.urandom(size).hex() for _ in range(len(some))])
        many = some.with_columns(seq=pl.int_range(pl.len()) * 9 + number, value_text=texts)
        lake.append(READINGS, many, None)

    run(made)

    (path,) = lake.files(READINGS)["path"]
    by = pq.read_metadata(Path(lake.uri(READINGS)) / path).created_by
    assert by.startswith("parquet-cpp-arrow"), f"{by}: it was packed, which polars writes"
    assert lake.scan(READINGS).select(pl.len()).collect().item() == 9 * len(many)
