"""Replays of a range: identical, differing, put in place, and cut short."""

import argparse
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import polars as pl
import pytest
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.gold_state import GoldFiles, Position
from spark_jobs.jobs import replay
from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.jobs.judging import judge_by_spark, judge_here
from spark_jobs.jobs.known import known
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.jobs.replay_range import RangeReplay
from spark_jobs.lake import Lake
from spark_jobs.transforms.marks import windows_of
from spark_jobs.transforms.spans import Span, days
from telemetry.devices import Device
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import (
    DEVICE_MINUTE,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
    RESTATEMENTS,
    SESSIONS,
)
from tests.spark_jobs.landing_fleet import (
    TOLERANCE,
    landed,
)
from tests.spark_jobs.replay_home import (
    DAY,
    SILVER,
    SIZE,
    copied,
    damage,
    killed_and_run_again,
    make_gold,
    run,
)

pytestmark = pytest.mark.spark
SEVEN, NEVER = pl.lit(7.0).alias("value"), pl.lit(-1, pl.Int64)
AT = datetime(2026, 11, 22, tzinfo=UTC)
MOVED = "meter.d1"
BOTH = (READINGS, LATE)


@pytest.fixture
def settings(replay_home: Settings, tmp_path: Path) -> Settings:
    return copied(replay_home, tmp_path / "home")


def test_replay_of_what_was_landed_is_identical(settings: Settings, tmp_path: Path) -> None:
    beside = tmp_path / "beside"

    result = run(settings, *DAY, "--beside", str(beside))

    assert result["differences"] == {}
    assert result["ok"]
    assert result["gold"] == "compared"
    shown = landed(Lake(settings.lake_root))
    replayed = landed(Lake(str(beside)))
    assert {**replayed, MESSAGES.name: shown[MESSAGES.name]} == shown
    compared = result["compared"]
    assert isinstance(compared, dict)
    assert all(compared[table.name] for table in (*SILVER, *WINDOW_TABLES)), compared
    assert run(settings, *DAY, "--beside", str(beside))["ok"], "a replay's folder is made anew"


def test_an_hour_is_decided_with_what_silver_holds_outside_of_it(settings: Settings) -> None:
    for hour in ("08", "09"):
        result = run(settings, "--from", f"2026-11-21T{hour}")
        assert result["differences"] == {}
        assert result["messages"]


def is_of(offset: int) -> pl.Expr:
    return pl.col("offset") == offset


@pytest.fixture
def damaged(settings: Settings) -> Settings:
    """Return a home in which a reading is altered, one lost, and one there that never came."""
    readings = Lake(settings.lake_root).scan(READINGS).collect().sort("offset")
    first, *_, last = readings.filter(pl.col("metric") == "kwh")["offset"].to_list()
    damage(
        settings, READINGS, is_of(first) & (pl.col("metric") == "kwh"), pl.lit(7.0).alias("value")
    )
    damage(settings, READINGS, is_of(last))
    phantom = readings.head(1).with_columns(offset=NEVER, boot=pl.lit("never"))
    Lake(settings.lake_root).append(READINGS, phantom, None)
    make_gold(settings)
    return settings


def test_differences_are_listed_by_table_key_and_column(damaged: Settings) -> None:
    result = run(damaged, *DAY)

    assert not result["ok"]
    listed = [orjson.loads(line) for line in Path(str(result["file"])).read_bytes().splitlines()]
    assert Counter(one["table"] for one in listed) == result["differences"]
    readings = [one for one in listed if one["table"] == READINGS.name]
    (altered,) = (one for one in readings if one["before"] and one["after"])
    assert (altered["columns"], altered["before"]) == (["value"], {"value": 7.0})
    (phantom,) = (one for one in readings if not one["after"])
    assert phantom["key"]["boot"] == "never"
    assert all(one["key"]["metric"] for one in readings if not one["before"])
    assert {DEVICE_MINUTE.name, SESSIONS.name} <= {one["table"] for one in listed}


def test_differing_rows_are_put_in_place_and_their_gold_restated(
    replay_home: Settings, damaged: Settings
) -> None:
    before = landed(Lake(damaged.lake_root))
    with pytest.raises(HeadwaterError, match=r"1 records, received 2026-11-21T.*-1 to -1.*--drop-"):
        run(damaged, *DAY, "--in-place")
    assert landed(Lake(damaged.lake_root)) == before

    result = run(damaged, *DAY, "--in-place", "--drop-orphans")

    assert (result["ok"], result["orphans"]) == (True, 1)
    assert result["restated"] == "done"
    assert landed(Lake(damaged.lake_root)) == landed(Lake(replay_home.lake_root))
    assert run(damaged, *DAY)["differences"] == {}


def test_gold_that_is_a_moment_behind_is_waited_for(settings: Settings) -> None:
    files = GoldFiles(settings.checkpoint_dir / "gold")
    read = files.state()
    assert read is not None
    files.save(replace(read, readings=Position(1)))
    with pytest.raises(HeadwaterError, match=r"gold has not read all of silver\.readings"):
        run(settings, *DAY)

    catches_up = threading.Timer(1.0, files.save, [read])
    with files.owned():
        catches_up.start()
        result = run(settings, *DAY)

    assert result["differences"] == {}
    assert "gold is moving" in str(result["gold"])


def test_a_change_dated_back_is_marked_and_replayed_into_place(
    settings: Settings,
) -> None:
    lake = Lake(settings.lake_root)
    of_device = [lake.scan(table).filter(pl.col("device_full") == MOVED) for table in BOTH]
    readings = pl.concat(frame.select("event_time") for frame in of_device).collect()
    since = readings["event_time"].sort()[len(readings) // 2]
    files = RegistryFiles(settings.registry_dir)
    registry = LiveRegistry(files, lake)
    registry.refresh()
    files.project([*files.devices(), Device(MOVED, zone="moved", valid_from=since)])
    files.drop_enrolled(files.enrolled()[1])
    registry.refresh(AT)
    marks = lake.scan(RESTATEMENTS).filter(pl.col("reason") == "registry").collect()
    touched = windows_of(marks, "1m")

    result = run(settings, *DAY, "--in-place")

    minute = pl.col("event_time").dt.truncate("1m")
    minutes = readings.filter(pl.col("event_time") >= since).select(minute).to_series().unique()
    assert set(touched["window_start"]) == set(minutes)
    assert "moved" in touched["zone"].to_list()
    assert marks["readings_version"].null_count() == len(marks), "silver is not changed yet"
    assert result["ok"]
    after = lake.scan(READINGS).filter(pl.col("device_full") == MOVED).collect()
    is_moved = after["event_time"] >= since
    assert after.filter(is_moved)["zone"].unique().to_list() == ["moved"]
    assert "moved" not in after.filter(~is_moved)["zone"].to_list()
    left = lake.scan(RESTATEMENTS).collect()
    assert left.filter(pl.col("window_start").dt.date() == date(2026, 11, 21)).is_empty()
    assert run(settings, *DAY)["differences"] == {}


def test_replay_in_place_cut_short_anywhere_goes_on(
    replay_home: Settings, damaged: Settings
) -> None:
    for table in (LATE, REJECTED):
        assert damage(damaged, table, pl.lit(value=True))

    kills = killed_and_run_again(damaged, *DAY, "--in-place", "--drop-orphans")

    assert kills >= 3
    assert landed(Lake(damaged.lake_root)) == landed(Lake(replay_home.lake_root))
    assert run(damaged, *DAY)["differences"] == {}


def test_spark_and_this_process_judge_alike(
    spark: SparkSession, replay_home: Settings, tmp_path: Path
) -> None:
    lake, shown = Lake(replay_home.lake_root), []
    received = days(date(2026, 11, 21), date(2026, 11, 21))
    for name, judge in (
        ("here", judge_here(lake, tolerance_us=TOLERANCE)),
        ("spark", judge_by_spark(replay_home, lake, tolerance_us=TOLERANCE)),
    ):
        beside = Lake(str(tmp_path / name))
        beside.create_all()
        replayed = RangeReplay(lake, beside, known(replay_home, lake, AT), received=received)
        replayed.run(judge, lake.table(MESSAGES).version(), chunk=SIZE)
        shown.append(landed(beside))
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--from"),
        (("--from", "2026-11-22", "--to", "2026-11-21"), "is after"),
        ((*DAY, "--reason", "type"), "--rejected"),
        (("--rejected", "--in-place"), "leave the place out"),
        ((*DAY, "--drop-orphans"), "add --in-place"),
    ],
)
def test_wrong_use_is_told(settings: Settings, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(HeadwaterError, match=said):
        run(settings, *words)


def test_a_folder_that_holds_something_else_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    taken = {
        "something else": str(tmp_path / "full"),
        "lake itself": settings.lake_root,
        "in the lake": f"{settings.lake_root}/silver",
        "is a file": str(tmp_path / "full" / "letter.txt"),
    }
    for said, folder in taken.items():
        with pytest.raises(HeadwaterError, match=said):
            run(settings, *DAY, "--beside", folder)


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("2026-11-21", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("2026-11-21T08", "2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z"),
        ("2026-11-21 08", "2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z"),
        ("2026-11-21T08:30", "2026-11-21T08:30:00Z", "2026-11-21T08:31:00Z"),
        ("2026-11-21T08:30:15Z", "2026-11-21T08:30:15Z", "2026-11-21T08:30:16Z"),
        ("2026-11-21T00:30+02:00", "2026-11-20T22:30:00Z", "2026-11-20T22:31:00Z"),
        ("9999-12-31", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_time_names_its_whole_day_hour_minute_or_second(words: str, start: str, end: str) -> None:
    span = asked("--from", words)
    assert span == Span(datetime.fromisoformat(start), datetime.fromisoformat(end))


@pytest.mark.parametrize(
    "words",
    ["yesterday", "2026-W47-6", "20261121", "2026-13-01", "08:00", "0001-01-01T00:00+05:00"],
)
def test_what_names_no_time_is_wrong_use(words: str) -> None:
    with pytest.raises(SystemExit) as refused:
        asked("--from", words)
    assert refused.value.code == 2


def asked(*words: str) -> Span:
    """Return the span of received times that the words of a command name."""
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    first = parser.parse_args(words).first
    assert isinstance(first, Span)
    return first
