"""Gaps stay gaps, and where readings come at their usual distance there is none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.query.answering import Answer, Question, answered
from services.query.pieces import Pieces
from services.query.reading import Lake
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.test_query_series import DAY, HOUR, MANY, MINUTE, START

DISTANCES = (MINUTE, 7 * MINUTE, 30 * MINUTE, 95 * MINUTE, 5 * HOUR, 36 * HOUR)
HELD_DAYS = 40
KINDS = ("number", "text")


def shape(n: int, kind: str) -> float | str:
    """Return values that are constant in every second hour, so that extremes stand elsewhere."""
    value = 20.0 if n // 60 % 2 else 20.0 + n * 7 % 13
    return value if kind == "number" else f"s{value:.0f}"


def span_of(distance: int) -> int:
    return min(HELD_DAYS * DAY, 20_000 * distance)


@pytest.fixture(scope="module")
def regular(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Readings at each of some distances, without a gap."""
    made = TestLake(tmp_path_factory.mktemp("gaps") / "lake")
    made.land(
        numbered(
            Reading(START + at, shape(n, kind), metric=f"{kind}{distance}")
            for distance in DISTANCES
            for kind in KINDS
            for n, at in enumerate(range(0, span_of(distance), distance))
        )
    )
    made.make_gold(START + HELD_DAYS * DAY)
    return Lake(str(made.root), Pieces(1 << 27))


def ask(tables: Lake, metric: str, start: int, end: int, points: int) -> Answer:
    asked = Question("default", "meter.m1", metric, start, end, points, None, "null")
    return answered(tables, lambda *_: START + HELD_DAYS * DAY, asked)


def empty(answer: Answer) -> list[int]:
    """Return the times of points without a value."""
    pairs = zip(answer.points.times.tolist(), answer.points.values.tolist(), strict=True)
    return [at for at, value in pairs if value is None or value != value]


@MANY
@given(
    distance=st.sampled_from(DISTANCES),
    kind=st.sampled_from(KINDS),
    part=st.tuples(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, HOUR)),
    points=st.one_of(st.integers(2, 60), st.integers(2, 2_000), st.just(1_000)),
)
def test_readings_at_their_usual_distance_have_no_gap(
    regular: Lake, distance: int, kind: str, part: tuple[int, int, int], points: int
) -> None:
    first, last = sorted(part[:2])
    there = span_of(distance) - distance
    start = START + there * first // 1_000
    end = min(START + there * last // 1_000 + part[2], START + there) + 1
    assume(start < end)
    assert empty(ask(regular, f"{kind}{distance}", start, end, points)) == []


@pytest.mark.parametrize("more", [0, 1])
def test_finer_buckets_than_readings_are_no_gaps(regular: Lake, more: int) -> None:
    """Half-hourly readings are read raw up to two days, and from windows for longer."""
    answer = ask(regular, f"number{30 * MINUTE}", START, START + 2 * DAY + more, 1_000)
    assert answer.method == ("minmax" if more else "raw")
    assert (len(answer.points.times), empty(answer)) == (96 + more, [])


def without(times: Sequence[int], begin: int, end: int) -> list[int]:
    return [at for at in times if not begin <= at < end]


@settings(MANY, max_examples=20)
@given(
    distance=st.sampled_from((7 * MINUTE, 30 * MINUTE, 5 * HOUR)),
    kind=st.sampled_from(KINDS),
    place=st.tuples(st.floats(0.3, 0.6), st.floats(1.0, 3.0)),
    size=st.tuples(st.integers(20, 1_500), st.floats(10, 12)),
)
def test_a_gap_longer_than_a_bucket_and_some_readings_shows(
    tmp_path_factory: pytest.TempPathFactory,
    distance: int,
    kind: str,
    place: tuple[float, float],
    size: tuple[int, float],
) -> None:
    points, days = size
    span = int(days * DAY)
    bucket = span // max(1, points // 3)
    begin = START + int(span * place[0])
    end = begin + int(max(3 * distance, bucket) * place[1]) + 1
    times = without(range(START, START + span, distance), begin, end)
    made = TestLake(tmp_path_factory.mktemp("gap") / "lake")
    made.land(numbered(Reading(at, shape(n, kind)) for n, at in enumerate(times)))
    made.make_gold(START + 13 * DAY)
    answer = ask(Lake(str(made.root), Pieces(1 << 24)), "kwh", START, START + span, points)

    before, behind = max(at for at in times if at < begin), min(at for at in times if at >= end)
    shown = empty(answer)
    assert shown
    assert all(before < at < behind for at in shown)
    assert len(answer.points.times) <= points


def test_gaps_at_the_ends_and_values_that_a_device_lacks_show(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake")
    quarters = range(START + 2 * DAY, START + 6 * DAY, 15 * MINUTE)
    silent = range(START + 4 * DAY, START + 4 * DAY + 30 * MINUTE, 15 * MINUTE)
    made.land(numbered(Reading(at, None if at in silent else 1.0) for at in quarters))
    made.make_gold(START + 9 * DAY)
    answer = ask(Lake(str(made.root), Pieces(1 << 24)), "kwh", START, START + 8 * DAY, 1_536)
    shown = np.array(empty(answer))
    assert ((shown >= START) & (shown < START + 2 * DAY)).sum() == 2 * 96
    assert (shown >= START + 6 * DAY).sum() == 2 * 96
    inside = (shown >= START + 2 * DAY) & (shown < START + 6 * DAY)
    assert shown[inside].tolist() == list(silent)
