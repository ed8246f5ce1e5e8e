"""A device's clock moves no watermark and no window's end; what it said stays, with a flag."""

from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.transforms import delays, windows
from spark_jobs.transforms.reduction import reduction
from spark_jobs.transforms.rules import rules, watermarks
from telemetry.judge import Judged, judge
from telemetry.products import DEFAULT_PRODUCT
from telemetry.tables import DEVICE_MINUTE
from tests.spark_jobs.gold_fleet import METER, PRODUCTS, fleet
from tests.telemetry.builders import NOW, SECOND, TOLERANCE, product, record, registry

YEARS = 3 * 365 * 86400
RULES = rules(PRODUCTS)
clocks = st.integers(-YEARS, 200 * YEARS).map(lambda second: NOW + second * SECOND)


def judged(device_time: int) -> Judged:
    """Judge a message of a product that takes any age."""
    said = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=device_time)
    body = {"seq": 1, "ts": said.isoformat(), "metrics": {"kwh": 1.5}}
    known = registry(product(max_age="unbounded", lateness="unbounded", retention="forever"))
    (found,) = judge(record(orjson.dumps(body)), known, tolerance_us=TOLERANCE)
    return found


@settings(deadline=None)
@given(clocks)
def test_what_the_device_said_stays_and_event_time_is_bounded(device_time: int) -> None:
    found = judged(device_time)

    assert not found.reasons
    assert found.device_time == device_time
    assert found.event_time == min(device_time, NOW + TOLERANCE)
    assert found.clock == ("ahead" if device_time > NOW + TOLERANCE else "ok")


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e9, allow_nan=False), min_size=1, max_size=20))
def test_a_watermark_is_of_arrivals_alone(ahead_s: list[float]) -> None:
    readings = fleet(seed=1, messages=len(ahead_s))
    shifts = pl.Series([timedelta(seconds=min(s, 60.0)) for s in ahead_s], dtype=pl.Duration("us"))
    moved = readings.with_columns(
        event_time=pl.col("received_at") + shifts.gather(readings["seq"] % len(ahead_s))
    )
    marks = [
        watermarks([reduction(some, delays.messages(some), RULES).highest], RULES)
        for some in (readings, moved)
    ]

    assert marks[0].sort("product").equals(marks[1].sort("product"))


def test_a_window_ahead_of_its_arrival_stays_open() -> None:
    readings = fleet(seed=4, messages=40).filter(pl.col("product") == METER.key)
    newest = readings["received_at"].max()
    assert isinstance(newest, datetime)
    ahead = readings.head(1).with_columns(event_time=pl.lit(newest) + timedelta(seconds=60))
    both = pl.concat([readings, ahead])
    marks = watermarks([reduction(both, delays.messages(both), RULES).highest], RULES)
    minutes = windows.cascade(windows.minutes(both))[DEVICE_MINUTE.name]

    rows = windows.completed(windows.ended(minutes, DEVICE_MINUTE), DEVICE_MINUTE, marks)

    assert marks.filter(product=METER.key)["watermark"].item() == newest - timedelta(seconds=30)
    last = rows.sort("window_start").tail(1)
    assert not last["is_final"].item()


def test_a_clock_ahead_is_not_late_and_one_behind_is() -> None:
    known = registry(product(), DEFAULT_PRODUCT)
    verdicts = []
    for seconds in (7200, 61, 60, -30, -31):
        said = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW + seconds * SECOND)
        body = {"seq": 1, "ts": said.isoformat(), "metrics": {"kwh": 1.5}}
        (found,) = judge(record(orjson.dumps(body)), known, tolerance_us=TOLERANCE)
        verdicts.append((found.clock, found.late))

    assert verdicts == [
        ("ahead", False),
        ("ahead", False),
        ("ok", False),
        ("ok", False),
        ("ok", True),
    ]
