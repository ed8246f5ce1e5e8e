"""What an answer has no room for: said in the answer, or refused with what to do."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from services.problems import Problem
from services.query.limits import Limits
from services.query.times import time_text
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.query_parts import NOW, TestedQueries
from tests.services.test_query_service import ASKED, HOUR, START

ROOM = 40
"""Readings of a series that an answer may read raw here; the day has 96."""


@pytest.fixture
def lake(tmp_path: Path) -> TestLake:
    made = TestLake(tmp_path / "lake")
    # Four readings in the first minute of each hour: as many minutes as hours.
    times = [START + n // 4 * HOUR + n % 4 * 1_000_000 for n in range(96)]
    made.land(numbered(Reading(at, n / 7) for n, at in enumerate(times)), files=12)
    return made


def with_gold(lake: TestLake, home: Path) -> TestedQueries:
    """Make gold, final for the whole day."""
    lake.make_gold(START + 24 * HOUR)
    (home / "progress").mkdir()
    said = {"watermarks": {"meter": (NOW + timedelta(hours=1)).isoformat()}}
    (home / "progress" / "gold.json").write_text(json.dumps(said))
    return TestedQueries(home, most_raw_rows=ROOM)


def test_more_readings_than_there_is_room_for_come_from_windows(
    lake: TestLake, tmp_path: Path
) -> None:
    queries = with_gold(lake, tmp_path)
    for more in ({}, {"agg": "mean", "points": 24}, {"points": 40}):
        said = queries.json("/v1/query", **ASKED, **more)
        assert (said["points_in"], said["truncated"]) == (96, False)
    assert said["resolution"] == "hour"
    assert queries.json("/v1/query", **ASKED)["resolution"] == "minute"
    least, greatest = (choose(p["value"] for p in said["points"]) for choose in (min, max))
    assert (least, greatest) == (0.0, 95 / 7)


def test_restated_window_behind_such_an_answer_is_seen(lake: TestLake, tmp_path: Path) -> None:
    queries = with_gold(lake, tmp_path)
    queries.json("/v1/query", **ASKED)
    hits = queries.service.answers.hits
    queries.json("/v1/query", **ASKED)
    assert queries.service.answers.hits == hits + 1
    lake.readings.append(Reading(START + 7, 99.0, seq=999))
    lake.make_gold(START + 24 * HOUR)
    said = queries.json("/v1/query", **ASKED)
    assert said["points_in"] == 97
    assert 99.0 in {point["value"] for point in said["points"]}


def test_range_that_no_window_holds_is_cut_and_said_to_be(lake: TestLake, tmp_path: Path) -> None:
    queries = TestedQueries(tmp_path, most_raw_rows=ROOM)
    said = queries.json("/v1/query", **ASKED)
    assert said["truncated"] is True
    end = time_text(START + 6 * HOUR)
    assert [tier["end"] for tier in said["tiers"]] == [end]
    assert said["points_in"] == 24
    assert [point["value"] for point in said["points"]] == [n / 7 for n in range(24)]
    # Asked from where it ended, an answer goes on.
    rest = queries.json("/v1/query", **{**ASKED, "start": said["tiers"][0]["end"]})
    assert rest["points"][0]["value"] == 24 / 7


def never_final(lake: TestLake, home: Path, until_us: int) -> TestedQueries:
    """Make gold of what was there before a moment, for a product without a lateness."""
    lake.make_gold(0, until_us)
    (home / "progress").mkdir()
    (home / "progress" / "gold.json").write_text('{"watermarks": {}, "never_final": ["meter"]}')
    return TestedQueries(home, most_raw_rows=ROOM)


@pytest.mark.parametrize("hours", [24, 18])
def test_windows_that_are_never_final_stand_for_too_many_readings(
    lake: TestLake, tmp_path: Path, hours: int
) -> None:
    """Gold is behind in one case: what its last window and later ones have is read raw."""
    queries = never_final(lake, tmp_path, START + hours * HOUR)
    said = queries.json("/v1/query", **ASKED)
    assert (said["points_in"], said["truncated"], said["resolution"]) == (96, False, "minute")
    assert [tier["tier"] for tier in said["tiers"]] == ["minute", "raw"]
    assert said["tiers"][1]["start"] == time_text(START + (hours - 1) * HOUR)
    assert said["complete_until"] is None
    least, greatest = (choose(p["value"] for p in said["points"]) for choose in (min, max))
    assert (least, greatest) == (0.0, 95 / 7)
    for agg, total in {"count": 96, "sum": sum(n / 7 for n in range(96))}.items():
        said = queries.json("/v1/query", **ASKED, points=24, agg=agg)
        assert sum(point["value"] for point in said["points"]) == pytest.approx(total)


def test_gold_that_is_far_behind_leaves_out_no_reading_in_silence(
    lake: TestLake, tmp_path: Path
) -> None:
    said = never_final(lake, tmp_path, START + 5 * HOUR).json("/v1/query", **ASKED)
    assert said["truncated"] is True
    end = said["tiers"][-1]["end"]
    assert said["points_in"] == sum(time_text(each.at_us) < end for each in lake.readings)


def test_short_range_of_a_file_with_too_many_is_read_raw(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake", rows_a_group=16)
    made.land(numbered(Reading(START + n * HOUR // 4, n / 7) for n in range(96)))
    queries = TestedQueries(tmp_path, most_raw_rows=ROOM, query_hot_mb=0)
    for first in (0, 9, 22):
        hours = {"start": START + first * HOUR, "end": START + (first + 2) * HOUR}
        said = queries.json("/v1/query", **{**ASKED, **hours})
        assert (said["method"], said["truncated"]) == ("raw", False)
        expected = [n / 7 for n in range(4 * first, 4 * first + 8)]
        assert [point["value"] for point in said["points"]] == expected
    assert queries.json("/v1/query", **ASKED)["truncated"] is True


def test_more_in_a_moment_than_there_is_room_for_is_refused(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake")
    made.land(numbered(Reading(START + n, 1.0) for n in range(ROOM + 1)))
    answer = TestedQueries(tmp_path, most_raw_rows=ROOM).ask("/v1/query", **ASKED)
    assert answer.status_code == 422
    assert f"more than {ROOM} readings" in answer.json()["detail"]


def test_latest_says_that_a_limit_left_rows_out(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake")
    made.land(numbered(Reading(START, 1.0, device=f"meter.m{n}") for n in range(5)))
    queries = TestedQueries(tmp_path)
    for limit, truncated in {2: True, 4: True, 5: False, 6: False}.items():
        said = queries.json("/v1/latest", limit=limit)
        assert (said["points_in"], said["truncated"]) == (5, truncated)
        assert said["points_out"] == len(said["points"]) == min(limit, 5)
        names = [point["device_id"] for point in said["points"]]
        assert names == [f"meter.m{n}" for n in range(min(limit, 5))]
    assert queries.ask("/v1/latest", limit=0).status_code == 422


def test_devices_are_listed_page_by_page(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake")
    names = [f"meter.m{n}" for n in range(5)]
    made.land(numbered(Reading(START, 1.0, device=name) for name in reversed(names)))
    queries = TestedQueries(tmp_path)
    found: list[str] = []
    while True:
        said = queries.json("/v1/devices", limit=2, after=found[-1] if found else None)
        found += [point["device_id"] for point in said["points"]]
        if not said["truncated"]:
            break
    assert found == names
    assert queries.json("/v1/devices", after=names[-1])["points"] == []


def test_more_at_once_than_may_be_are_told_when_to_come_again(tmp_path: Path) -> None:
    queries = TestedQueries(tmp_path, at_once=1)
    with queries.service.limits.passed("somebody", 0.0):
        answer = queries.ask("/v1/latest")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) == 1
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "limit requests_at_once" in answer.json()["detail"]
    assert queries.ask("/v1/latest").is_success


def test_a_place_is_free_again_however_a_request_ends() -> None:
    limits = Limits(0, 0, at_once=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limits.passed("somebody", 0.0):
            raise ZeroDivisionError


def test_a_clock_that_is_put_back_locks_nobody_out() -> None:
    limits = Limits(2, 4, at_once=9)

    def ask(now: float) -> None:
        with limits.passed("somebody", now):
            pass

    for _ in range(4):
        ask(10_000.0)
    with pytest.raises(Problem) as refused:
        ask(6_400.0)
    assert refused.value.headers["Retry-After"] == "1"
    ask(6_401.0)
