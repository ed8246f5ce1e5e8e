"""What the cookbook says of the ends of a range, and of what nobody knows within it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.sql.light_engine import query_light
from telemetry.settings import Settings
from tests.infra.sql import cookbook_page
from tests.services.query_lake import EPOCH, Reading, TestLake, all_tables, numbered

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FAR_S = 120
Told = Sequence[tuple[datetime, float | None]]


def answer(home: Path, title: str, metric: str, told: Told) -> list[tuple[object, ...]]:
    """Return what the light stack answers of one device, whose name is left out."""
    lake = TestLake(home / "lake")
    all_tables(lake.root)
    micros = [((at - EPOCH) // timedelta(microseconds=1), value) for at, value in told]
    device = "room.r1"
    lake.land(numbered(Reading(at, one, device=device, metric=metric) for at, one in micros))
    rows = query_light(Settings(home=home), cookbook_page.statements()[title]).rows
    return [tuple(row)[2:] for row in rows]


@pytest.fixture
def midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def gaps(home: Path, told: Told) -> list[tuple[object, ...]]:
    return answer(home, "Gaps", "temperature", told)


def test_gap_that_still_goes_on_has_no_end(tmp_path: Path, midnight: datetime) -> None:
    last = midnight - 3 * DAY
    (gap,) = gaps(tmp_path, [(last - n * 30 * MINUTE, 20.0) for n in range(9)])
    lasts_s = (datetime.now(UTC) - last).total_seconds()
    assert gap == ("temperature", last, None, pytest.approx(lasts_s, abs=FAR_S))


def test_gap_begins_before_the_range(tmp_path: Path, midnight: datetime) -> None:
    now = datetime.now(UTC)
    said = [(now - n * 30 * MINUTE, 20.0) for n in range(int((now - midnight) / MINUTE) // 30 + 1)]
    first = said[-1][0]
    (gap,) = gaps(tmp_path, [(midnight - 4 * DAY, 20.0), *said])
    assert gap[1:3] == (midnight - 4 * DAY, first)


def test_gap_that_ended_before_the_range_is_none_of_it(tmp_path: Path, midnight: datetime) -> None:
    begins = midnight - 2 * DAY
    count = int((datetime.now(UTC) - begins) / HOUR) + 1
    before = [(begins - 5 * HOUR, 20.0), (begins - MINUTE, 20.0)]
    assert gaps(tmp_path, [*before, *((begins + n * HOUR, 20.0) for n in range(count))]) == []


def test_time_of_sentinels_alone_is_a_gap(tmp_path: Path, midnight: datetime) -> None:
    since = midnight - DAY
    told = [(since + n * 30 * MINUTE, None if 0 < n < 6 else 20.0) for n in range(7)]
    closed = [gap for gap in gaps(tmp_path, told) if gap[2]]
    assert closed == [("temperature", since, since + 3 * HOUR, 3 * 3600)]


def test_first_step_of_a_counter_begins_before_the_range(
    tmp_path: Path, midnight: datetime
) -> None:
    told = [(midnight - DAY + n * 15 * MINUTE, float(n)) for n in range(-4, 96)]
    rates = answer(tmp_path, "Counter to rate", "energy", told)
    assert rates == [(midnight - DAY + n * HOUR, 4.0, 4.0) for n in range(24)]


def test_silence_between_high_readings_is_not_above_the_bound(
    tmp_path: Path, midnight: datetime
) -> None:
    since = midnight - DAY
    minutes = (0, 30, 90, 12 * 60, 12 * 60 + 20)
    told = [(since + n * MINUTE, 30.0) for n in minutes]
    runs = answer(tmp_path, "Longest time above a bound", "temperature", told)
    assert runs == [
        (since, since + 90 * MINUTE, 5400, 3),
        (since + 12 * HOUR, since + 12 * HOUR + 20 * MINUTE, 1200, 2),
    ]
