"""Windows of long ranges are made fewer as they are read: never all of them are in memory."""

import math
from functools import partial

import polars as pl
import pytest

from services.problems import Problem
from services.query.gathering import Gathered
from services.query.zones import Asked, Zones, merged, reduced
from telemetry.tables import WINDOW_MINUTES, ZONE_WINDOWS
from tests.services.query_lake import Reading, TestLake, numbered, put, windows, with_period
from tests.services.query_parts import TestedQueries

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
START = 20_600 * DAY
COLUMNS = ["window_start", "product", "count"]


def part(first: int, length: int) -> pl.DataFrame:
    """Return windows that begin at so many following moments."""
    starts = list(range(first, first + length))
    return pl.DataFrame({"window_start": starts, "product": ["meter"] * length, "count": starts})


def test_no_more_is_held_than_what_is_wanted_and_what_waits() -> None:
    held: list[int] = []

    def newest(rows: pl.DataFrame) -> pl.DataFrame:
        held.append(len(rows))
        return rows.sort("window_start", descending=True).head(10)

    gathered = Gathered(newest, waiting=50)
    # Half of the files come in no order of time.
    parts = [part(first * 7 % 1000 * 20, 20) for first in range(100)]
    assert gathered.taken(iter(parts)) == 2000
    rows = gathered.rows(COLUMNS)
    assert max(held) <= 10 + 50 + 10 + 20
    whole = pl.concat(parts)
    assert rows["window_start"].to_list() == sorted(whole["window_start"], reverse=True)[:10]
    assert (gathered.windows, gathered.readings) == (2000, whole["count"].sum())
    assert gathered.products == {"meter"}


def test_what_cannot_be_made_fewer_is_refused_with_what_to_ask_for() -> None:
    gathered = Gathered(pl.DataFrame.clone, waiting=50, most=300)
    with pytest.raises(Problem, match="fewer points") as refused:
        gathered.taken(part(n * 20, 20) for n in range(100))
    assert refused.value.status == 422
    assert gathered.windows < 500


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> TestLake:
    """Two zones: numbers far from zero and close together, and texts under the same name."""
    made = TestLake(tmp_path_factory.mktemp("gathered") / "lake")
    rows = [
        Reading(START + n * 7 * MINUTE, 1e6 + n % 13, device=f"meter.m{n % 3}", zone=zone)
        for zone in ("north", "south")
        for n in range(400)
    ]
    rows += [Reading(START + n * HOUR, "high", device="pump.p1") for n in range(48)]
    rows += [Reading(START + n * HOUR, None, device="pump.p2") for n in range(48)]
    made.land(numbered(rows))
    for name, table in ZONE_WINDOWS.items():
        found = windows(made.readings, WINDOW_MINUTES[name] * MINUTE, START + DAY, "zone")
        put(made.root, table, with_period(found, name))
    return made


@pytest.mark.parametrize("by", ["zone", "product"])
@pytest.mark.parametrize("agg", ["mean", "min", "max", "sum", "count", "stddev"])
def test_windows_that_were_made_fewer_have_the_same_statistics(
    lake: TestLake, by: str, agg: str
) -> None:
    asked = Asked("default", "kwh", by, START, START + 2 * DAY, 6 * HOUR, agg)  # type: ignore[arg-type]
    files = Zones(str(lake.root)).tables[ZONE_WINDOWS["minute"].name]
    paths = files.listing().paths
    named = ["window_start", "zone", "product", "count", "sum", "mean", "m2", "min", "max"]
    whole = pl.concat([pl.read_parquet(f"{files.folder}/{path}") for path in paths]).select(named)
    gathered = Gathered(partial(reduced, asked=asked), waiting=20)
    gathered.taken(whole.iter_slices(7))
    few = gathered.rows(whole.columns)
    assert len(few) < len(whole) // 5
    typed = few.select(pl.col(name).cast(whole.schema[name]) for name in few.columns)
    left, right = (merged(rows, asked) for rows in (typed, whole))
    assert left.drop("value").equals(right.drop("value"))
    numbers = [found["value"].fill_null(math.nan).to_list() for found in (left, right)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-12, abs=1e-6, nan_ok=True)


def test_newest_windows_of_a_long_range_are_told_with_what_all_of_them_count(
    lake: TestLake,
) -> None:
    queries = TestedQueries(lake.root.parent, query_rate=0)
    asked = {"width": "minute", "zone": "north", "start": START, "end": START + 2 * DAY}
    every = queries.json("/v1/windows", **asked, points=10_000)
    few = queries.json("/v1/windows", **asked, points=3)
    assert few["points"] == every["points"][:3]
    assert (few["points_in"], few["truncated"]) == (every["points_in"], True)
    assert not every["truncated"]
