"""`headwater plot --service` draws a series from its first reading to its last."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from infra.plotting.answers import SERVED, Answers
from infra.plotting.chart import Line
from infra.plotting.series import Asked
from infra.service_client import ServiceClient
from telemetry.tables import DEVICE_WINDOWS, LATE, READINGS
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.query_parts import TestedQueries
from tests.services.test_query_retention import drop

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
START = 20_672 * DAY + 10 * HOUR
"""Two hundred days from here lie in one bucket of the years that are asked for first."""


def drawn(home: Path, readings: Iterable[Reading], *, only_days: bool = False) -> Line:
    """Return the line of a lake, through a query service."""
    lake = TestLake(home / "lake")
    lake.land(numbered(readings))
    end = max(each.at_us for each in lake.readings) // DAY * DAY + DAY
    lake.make_gold(end)
    if only_days:
        finer = [table for name, table in DEVICE_WINDOWS.items() if name != "day"]
        drop(lake.root, [READINGS, LATE, *finer], datetime.fromtimestamp(end / 1e6, UTC).date())
    queries = TestedQueries(home, query_rate=0)
    client = SimpleNamespace(ask=lambda _method, path, _body, given: queries.json(path, **given))
    return Answers(cast(ServiceClient, client)).line(Asked("meter.m1", "kwh"), SERVED, "m1")


def moment(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


@pytest.mark.parametrize("extremes", [(10, 30), (215 * 24 - 30, 215 * 24 - 10)])
def test_series_with_its_extremes_at_one_end_is_drawn_to_the_other(
    tmp_path: Path, extremes: tuple[int, int]
) -> None:
    known = dict(zip(extremes, (40.0, -10.0), strict=True))
    numbers = [known.get(n, 20 + 5 * math.sin(n / 4)) for n in range(215 * 24)]
    line = drawn(tmp_path, (Reading(START + n * HOUR, one) for n, one in enumerate(numbers)))
    ends = START, START + (215 * 24 - 1) * HOUR
    assert (line.times[0], line.times[-1]) == tuple(map(moment, ends))
    assert (line.values[0], line.values[-1]) == (numbers[0], numbers[-1])
    assert {40.0, -10.0} <= set(line.values)


def test_day_of_minutes_is_drawn_to_its_last_one(tmp_path: Path) -> None:
    line = drawn(tmp_path, (Reading(START + n * MINUTE, n % 50.0) for n in range(1440)))
    assert (line.times[0], line.times[-1]) == (moment(START), moment(START + 1439 * MINUTE))


def test_days_are_drawn_whole_where_only_days_are_left(tmp_path: Path) -> None:
    readings = [Reading(START + n * HOUR, n % 24.0) for n in range(4 * 24)]
    line = drawn(tmp_path, readings, only_days=True)
    assert (line.times[0], line.times[-1]) == (readings[0].at, readings[-1].at)
    assert {at.date() for at in line.times} == {each.at.date() for each in readings}
    assert (min(line.values), max(line.values)) == (0.0, 23.0)
