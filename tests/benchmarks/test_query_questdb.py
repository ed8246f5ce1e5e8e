"""QuestDB is asked for the same buckets as the others, or said to be left out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from benchmarks import query_lake
from benchmarks.query_peers import HELD_DEVICES
from benchmarks.query_questdb import lines, questdb_figures, question
from telemetry.settings import Settings

START = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_without_its_jar_it_is_left_out_with_the_command_that_brings_it(tmp_path: Path) -> None:
    (said,) = questdb_figures(Settings(cache=tmp_path), Random(1), 1).values()
    assert "headwater fetch questdb" in str(said)


def test_a_day_is_a_line_a_reading_in_order_of_time() -> None:
    head, *rows = lines(0).decode().splitlines()
    assert head == "device_full,value,at"
    assert len(rows) == HELD_DEVICES * query_lake.A_DAY
    times = [row.rpartition(",")[2] for row in rows]
    assert times == sorted(times)
    assert times[0] == f"{query_lake.START:%Y-%m-%dT%H:%M:%S.%f}Z"


def test_buckets_are_a_five_hundredth_of_the_range_from_its_beginning() -> None:
    asked = question(START, START + timedelta(days=1), "d").decode()
    assert "sample by 172800T from '2026-01-02T03:04:00.000000Z'" in asked
