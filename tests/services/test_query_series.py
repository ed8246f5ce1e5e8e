"""Answers of one series against a plain recomputation: any range, any points, any seam."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.query.answering import Answer, Question, answered
from services.query.hot.runs import RECORD
from services.query.hot.tier import Bounds
from services.query.pieces import Pieces
from services.query.points import edges
from services.query.reading import Lake
from services.query.statistics import Agg, Fill
from tests.services.query_lake import Reading, TestLake, numbered

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
START = 20_600 * DAY
END = START + 9 * DAY
FINAL = START + 6 * DAY + 7 * HOUR + 13 * MINUTE + 29_000_000
AGGS: tuple[Agg, ...] = ("mean", "min", "max", "sum", "count", "first", "last", "stddev")


def irregular(seed: int) -> list[Reading]:
    """Return readings with gaps, equal times, sentinels, late ones, and those of others."""
    chance = random.Random(seed)
    found: list[Reading] = []
    at = START
    while at < END:
        at += chance.choice([1, 15_000_000, 15 * MINUTE, 15 * MINUTE, HOUR, 11 * HOUR])
        value = None if chance.random() < 0.05 else chance.gauss(20, 5)
        found.append(Reading(at, value, is_late=chance.random() < 0.1))
        if chance.random() < 0.05:
            found.append(Reading(at, chance.gauss(20, 5)))
        if chance.random() < 0.3:
            found.append(Reading(at, 1e9, device="meter.m0"))
            found.append(Reading(at, 1e9, metric="kwi"))
            found.append(Reading(at, 1e9, tenant="other"))
    return numbered(each for each in found if each.at_us < END)


@pytest.fixture(scope="module", params=["one file a day", "many files", "many files, half held"])
def lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TestLake:
    made = TestLake(tmp_path_factory.mktemp("query") / request.param / "lake")
    made.land(irregular(7), files=1 if request.param == "one file a day" else 5)
    # Gold has not merged the newest hours yet.
    made.make_gold(FINAL, until_us=END - 5 * HOUR)
    return made


@pytest.fixture(scope="module")
def tables(lake: TestLake) -> Lake:
    if lake.root.parent.name != "many files, half held":
        return Lake(str(lake.root), Pieces(64 * 1024 * 1024))
    half = RECORD.itemsize * len(lake.readings) // 2
    bounds = Bounds(1 << 20, half, lake.root.parent)
    found = Lake(str(lake.root), Pieces(64 * 1024 * 1024), bounds)
    while found.hot.step():
        pass
    assert 0 < found.hot.reads < len(found.tables["silver.readings"].listing().paths)
    return found


def mine(lake: TestLake, asked: Question) -> list[Reading]:
    return sorted(
        (
            each
            for each in lake.readings
            if (each.tenant, each.device, each.metric) == ("default", "meter.m1", "kwh")
            if each.value is not None and asked.start_us <= each.at_us < asked.end_us
        ),
        key=lambda each: (each.at_us, each.seq),
    )


def question(bounds: tuple[int, int], points: int, **more: object) -> Question:
    start, end = sorted(bounds)
    return Question("default", "meter.m1", "kwh", start, end + 1, points, **more)  # type: ignore[arg-type]


MOMENTS = st.one_of(
    st.integers(START - DAY, END + DAY),
    st.integers(0, 9 * 24).map(lambda hours: START + hours * HOUR),
    st.sampled_from([FINAL, FINAL - 1, START, END]),
)
BOUNDS = st.tuples(MOMENTS, MOMENTS)
POINTS = st.one_of(st.integers(2, 60), st.integers(2, 400), st.integers(2, 10_000))
SEAMS = st.one_of(st.none(), st.integers(START - DAY, FINAL), st.just(END))
MANY = settings(max_examples=60, deadline=None, derandomize=True)


def checked_spans(answer: Answer) -> None:
    """Hold that the spans cover the range without a gap or an overlap."""
    asked = answer.question
    bounds = [(span.start_us, span.end_us) for span in answer.spans]
    assert [start for start, _ in bounds] == [asked.start_us, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == asked.end_us


@MANY
@given(bounds=BOUNDS, points=POINTS, seam=SEAMS)
def test_extremes_survive_and_nothing_is_counted_twice(
    lake: TestLake, tables: Lake, bounds: tuple[int, int], points: int, seam: int | None
) -> None:
    asked = question(bounds, points)
    readings = mine(lake, asked)
    answer = answered(tables, lambda *_: seam, asked)

    times, values = answer.points.times.tolist(), answer.points.values.tolist()
    checked_spans(answer)
    assert answer.points_in == len(readings)
    assert len(times) <= points
    assert times == sorted(times)
    assert all(asked.start_us <= time < asked.end_us for time in times)
    numbers = {each.value for each in readings}
    assert set(values) <= numbers
    if readings:
        assert {min(numbers), max(numbers)} <= set(values)  # type: ignore[type-var]


@MANY
@given(bounds=BOUNDS, points=POINTS)
def test_raw_points_are_readings_and_hold_each_buckets_extremes(
    lake: TestLake, tables: Lake, bounds: tuple[int, int], points: int
) -> None:
    asked = question((bounds[0], min(bounds[1], bounds[0] + 2 * DAY - 1)), points)
    asked = question((asked.start_us, min(asked.end_us, asked.start_us + 2 * DAY) - 1), points)
    readings = mine(lake, asked)
    answer = answered(tables, lambda *_: None, asked)

    found = list(zip(answer.points.times.tolist(), answer.points.values.tolist(), strict=True))
    known = {(each.at_us, each.value) for each in readings}
    assert set(found) <= known
    assert answer.resolution == "raw"
    if answer.method == "raw":
        assert found == [(each.at_us, each.value) for each in readings]
        return
    starts = edges(asked.start_us, asked.end_us, points // 2).tolist()
    for start, end in zip(starts, [*starts[1:], asked.end_us], strict=True):
        there = [value for at, value in known if start <= at < end]
        shown = [value for at, value in found if start <= at < end]
        if there:
            assert (min(shown), max(shown)) == (min(there), max(there))  # type: ignore[type-var]


def plain(agg: Agg, readings: list[Reading]) -> float:
    """Return a statistic by the book."""
    values = [each.value for each in readings]
    numbers = [value for value in values if isinstance(value, float)]
    mean = sum(numbers) / len(numbers)
    spread = sum((number - mean) ** 2 for number in numbers)
    return {
        "mean": mean,
        "min": min(numbers),
        "max": max(numbers),
        "sum": sum(numbers),
        "count": float(len(numbers)),
        "first": numbers[0],
        "last": numbers[-1],
        "stddev": math.sqrt(spread / (len(numbers) - 1)) if len(numbers) > 1 else math.nan,
    }[agg]


@MANY
@given(
    bounds=BOUNDS,
    points=POINTS,
    known=st.tuples(SEAMS, st.sampled_from(AGGS)),
)
def test_buckets_are_those_of_a_plain_recomputation(
    lake: TestLake,
    tables: Lake,
    bounds: tuple[int, int],
    points: int,
    known: tuple[int | None, Agg],
) -> None:
    seam, agg = known
    asked = question(bounds, points, agg=agg)
    answer = answered(tables, lambda *_: seam, asked)

    width = answer.bucket_us
    assert width is not None
    expected: dict[int, list[Reading]] = {}
    for each in mine(lake, asked):
        start = max(each.at_us // width * width, asked.start_us)
        expected.setdefault(start, []).append(each)
    checked_spans(answer)
    assert answer.points_in == sum(map(len, expected.values()))
    assert answer.points.times.tolist() == sorted(expected)
    assert len(expected) <= points
    values = [plain(agg, expected[time]) for time in sorted(expected)]
    assert answer.points.values.tolist() == pytest.approx(values, rel=1e-9, abs=1e-6, nan_ok=True)


@MANY
@given(bounds=BOUNDS, points=POINTS, fill=st.sampled_from(["null", "previous", "linear"]))
def test_fill_gives_every_bucket_a_point(
    lake: TestLake, tables: Lake, bounds: tuple[int, int], points: int, fill: Fill
) -> None:
    asked = question(bounds, points, agg="max")
    bare = answered(tables, lambda *_: FINAL, asked)
    answer = answered(tables, lambda *_: FINAL, question(bounds, points, agg="max", fill=fill))

    times = answer.points.times.tolist()
    assert len(times) <= points
    assert set(bare.points.times.tolist()) <= set(times)
    known = dict(zip(bare.points.times.tolist(), bare.points.values.tolist(), strict=True))
    before: float | None = None
    for time, value in zip(times, answer.points.values.tolist(), strict=True):
        before = known.get(time, before)
        if time in known:
            assert value == known[time]
        elif fill == "null":
            assert math.isnan(value)
        elif fill == "previous":
            assert math.isnan(value) if before is None else value == before
        else:
            is_between = known and min(known) <= time <= max(known)
            assert not math.isnan(value) if is_between else math.isnan(value)


def test_gap_stays_a_gap(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake")
    hours = [n for n in range(24 * 8) if not 60 <= n < 120]
    made.land(numbered(Reading(START + n * HOUR, float(n)) for n in hours))
    made.make_gold(END)
    tables = Lake(str(made.root), Pieces(1 << 20))
    begin, end = START + 60 * HOUR, START + 120 * HOUR
    for agg in (None, "mean"):
        asked = Question("default", "meter.m1", "kwh", START, START + 8 * DAY, 40, agg, "null")
        points = answered(tables, lambda *_: END, asked).points
        inside = (points.times >= begin + 12 * HOUR) & (points.times < end - 12 * HOUR)
        assert inside.any()
        assert np.isnan(points.values[inside].astype(float)).all()
        shown = Question("default", "meter.m1", "kwh", START, START + 8 * DAY, 40, agg)
        times = answered(tables, lambda *_: END, shown).points.times
        assert not ((times >= begin) & (times < end)).any()


def test_spike_of_one_sample_in_ninety_days_is_there(tmp_path: Path) -> None:
    count = 90 * 5_760 // 12
    step = 90 * DAY // count
    spike = START + 44 * DAY + 11 * HOUR + 17
    readings = [Reading(START + n * step, 20.0 + n % 3) for n in range(count)]
    made = TestLake(tmp_path / "lake")
    made.land(numbered([*readings, Reading(spike, 99.25)]))
    made.make_gold(START + 89 * DAY)
    asked = Question("default", "meter.m1", "kwh", START, START + 90 * DAY, 1000)
    answer = answered(Lake(str(made.root), Pieces(1 << 20)), lambda *_: START + 89 * DAY, asked)
    assert answer.resolution == "hour"
    assert answer.points_in == count + 1
    assert len(answer.points.times) <= 1000
    at = answer.points.times[answer.points.values == 99.25].tolist()
    assert len(at) == 1
    assert abs(at[0] - spike) < HOUR


@pytest.fixture
def kinds(tmp_path: Path) -> Lake:
    made = TestLake(tmp_path / "lake")
    states = ["idle", "busy", "off"]
    rows = [Reading(START + n * HOUR, states[n // 5 % 3], metric="state") for n in range(24 * 6)]
    rows += [Reading(START + n * HOUR, n // 7 % 2 == 0, metric="open") for n in range(24 * 6)]
    rows += [Reading(START + n * HOUR, None, metric="silent") for n in range(24)]
    made.land(numbered(rows))
    made.make_gold(START + 5 * DAY)
    return Lake(str(made.root), Pieces(1 << 20))


def ask(tables: Lake, metric: str, days: float, points: int, agg: Agg | None = None) -> Answer:
    end = START + int(days * DAY)
    asked = Question("default", "meter.m1", metric, START, end, points, agg)
    return answered(tables, lambda *_: START + 5 * DAY, asked)


def test_texts_and_truths_are_answered(kinds: Lake) -> None:
    few = ask(kinds, "state", 1, 100)
    assert (few.kind, few.method, few.points_in) == ("text", "raw", 24)
    assert few.points.values.tolist()[:6] == ["idle"] * 5 + ["busy"]
    many = ask(kinds, "open", 6, 20)
    assert (many.kind, many.method, many.points_in) == ("boolean", "last", 144)
    assert len(many.points.times) <= 20
    assert many.points.values[-1] == ((24 * 6 - 1) // 7 % 2 == 0)
    last = ask(kinds, "state", 6, 6, "last")
    assert last.points.values.tolist() == [
        ["idle", "busy", "off"][(24 * d + 23) // 5 % 3] for d in range(6)
    ]


def test_sentinels_are_no_zeros(kinds: Lake) -> None:
    answer = ask(kinds, "silent", 2, 100)
    assert (answer.kind, answer.points_in, len(answer.points.times)) == ("none", 0, 0)
    shown = Question("default", "meter.m1", "silent", START, START + DAY, 100, None, "null")
    values = answered(kinds, lambda *_: None, shown).points.values
    assert len(values) == 24
    assert np.isnan(values.astype(float)).all()
