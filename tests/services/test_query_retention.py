"""Ranges whose readings retention has dropped: wider windows stand in, or it is declared."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from services.query.answering import Answer, Question, answered
from services.query.formats import declaration
from services.query.pieces import Pieces
from services.query.planning import Span
from services.query.reading import Lake
from telemetry.tables import DEVICE_WINDOWS, LATE, READINGS, Table
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.test_query_series import (
    AGGS,
    BOUNDS,
    DAY,
    END,
    FINAL,
    HOUR,
    MANY,
    POINTS,
    SEAMS,
    START,
    irregular,
    mine,
    plain,
    question,
)

KEPT_FROM = START + 4 * DAY
"""The 31st of May: what is older has been dropped."""
FINE = (READINGS, LATE, DEVICE_WINDOWS["minute"], DEVICE_WINDOWS["five_minutes"])
WIDTH = {"readings alone": 60_000_000, "fine windows": HOUR, "hours": DAY}
"""How wide the narrowest windows are that were kept."""


def drop(root: Path, tables: Iterable[Table], before: date) -> None:
    """Drop partitions of the default class as retention does."""
    for table in tables:
        handle = DeltaTable(str(root / Path(*table.name.split("."))))
        handle.delete(f"retention_class = 'default' and {table.partition_by[1]} < '{before}'")


class Kept(NamedTuple):
    """A lake after retention, and what it dropped."""

    gone: str
    lake: TestLake
    tables: Lake

    def __repr__(self) -> str:
        return self.gone


@pytest.fixture(scope="module", params=list(WIDTH))
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    gone = str(request.param)
    made = TestLake(tmp_path_factory.mktemp("retention") / "lake")
    # Each day has partitions of another class, between devices that sort on both sides.
    others = [
        Reading(START + n * 8 * HOUR, 1e9, device=f"meter.{name}", retention_class="history")
        for n in range(27)
        for name in ("a", "z")
    ]
    made.land(numbered([*irregular(11), *others]))
    made.make_gold(FINAL)
    drop(made.root, FINE[:2] if gone == "readings alone" else FINE, date(2026, 5, 31))
    if gone == "hours":
        drop(made.root, [DEVICE_WINDOWS["hour"]], date(2026, 6, 1))
    return Kept(gone, made, Lake(str(made.root), Pieces(64 * 1024 * 1024)))


def span_of(answer: Answer, at_us: int) -> Span:
    return next(span for span in answer.spans if span.start_us <= at_us < span.end_us)


def told(answer: Answer, readings: list[Reading]) -> list[Reading]:
    """Return the readings of the range that the answer does not declare as expired."""
    return [r for r in readings if span_of(answer, r.at_us).tier.name != "expired"]


def checked(answer: Answer, gone: str) -> None:
    """Hold that spans follow one another, and that only odd ends of dropped days are expired."""
    asked = answer.question
    bounds = [(span.start_us, span.end_us) for span in answer.spans]
    assert [start for start, _ in bounds] == [asked.start_us, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == asked.end_us
    lost = [span for span in answer.spans if span.tier.name == "expired"]
    assert answer.truncated == bool(lost)
    width = WIDTH[gone]
    end_of_gone = KEPT_FROM + DAY if gone == "hours" else KEPT_FROM
    for span in lost:
        assert span.end_us <= end_of_gone
        # Narrower than a window: at the start of the range, at its end, or all that it is.
        is_start = span.end_us < asked.start_us + width
        is_end = span.start_us > asked.end_us - width
        assert is_start or is_end or span.end_us - span.start_us < 2 * width


@MANY
@given(bounds=BOUNDS, points=POINTS, seam=SEAMS)
def test_extremes_of_dropped_days_come_from_windows(
    kept: Kept,
    bounds: tuple[int, int],
    points: int,
    seam: int | None,
) -> None:
    asked = question(bounds, points)
    answer = answered(kept.tables, lambda *_: seam, asked)

    checked(answer, kept.gone)
    readings = told(answer, mine(kept.lake, asked))
    assert answer.points_in == len(readings)
    assert len(answer.points.times) <= points
    values, numbers = set(answer.points.values.tolist()), {each.value for each in readings}
    assert values <= numbers
    if readings:
        assert {min(numbers), max(numbers)} <= values  # type: ignore[type-var]


@MANY
@given(bounds=BOUNDS, points=POINTS, known=st.tuples(SEAMS, st.sampled_from(AGGS)))
def test_buckets_of_dropped_days_are_those_of_a_plain_recomputation(
    kept: Kept,
    bounds: tuple[int, int],
    points: int,
    known: tuple[int | None, str],
) -> None:
    seam, agg = known
    asked = question(bounds, points, agg=agg)
    answer = answered(kept.tables, lambda *_: seam, asked)

    checked(answer, kept.gone)
    width = answer.bucket_us
    assert width is not None
    expected: dict[int, list[Reading]] = {}
    for each in told(answer, mine(kept.lake, asked)):
        # A window that is wider than a bucket stands where it begins.
        window = span_of(answer, each.at_us).tier.width_us or 1
        start = max(each.at_us // window * window // width * width, asked.start_us)
        expected.setdefault(start, []).append(each)
    assert answer.points_in == sum(map(len, expected.values()))
    assert answer.points.times.tolist() == sorted(expected)
    values = [plain(agg, expected[time]) for time in sorted(expected)]  # type: ignore[arg-type]
    assert answer.points.values.tolist() == pytest.approx(values, rel=1e-9, abs=1e-6, nan_ok=True)


def ask(tables: Lake, start_us: int, end_us: int) -> dict[str, object]:
    asked = Question("default", "meter.m1", "kwh", start_us, end_us)
    return declaration(answered(tables, lambda *_: END, asked))


@pytest.fixture
def winter(tmp_path: Path) -> Lake:
    """A reading each quarter of an hour for four days, of which only days are left."""
    made = TestLake(tmp_path / "lake")
    made.land(numbered(Reading(START + n * HOUR // 4, float(n)) for n in range(4 * 96)))
    made.make_gold(END)
    fine = [table for name, table in DEVICE_WINDOWS.items() if name != "day"]
    drop(made.root, [READINGS, LATE, *fine], date(2026, 6, 1))
    return Lake(str(made.root), Pieces(1 << 20))


def test_day_of_last_winter_is_answered_from_its_day(winter: Lake) -> None:
    said = ask(winter, START, START + DAY)
    assert (said["points_in"], said["resolution"], said["truncated"]) == (96, "day", False)
    assert said["tiers"] == [
        {"tier": "day", "table": "gold.device_day", "start": "2026-05-27T00:00:00Z",
         "end": "2026-05-28T00:00:00Z"}
    ]  # fmt: skip


def test_part_that_only_a_day_tells_of_is_declared(winter: Lake) -> None:
    said = ask(winter, START + 9 * HOUR, START + DAY + 15 * HOUR)
    assert (said["points_in"], said["truncated"]) == (0, True)
    assert said["tiers"] == [
        {"tier": "expired", "table": "gold.device_day", "start": "2026-05-27T09:00:00Z",
         "end": "2026-05-28T15:00:00Z"}
    ]  # fmt: skip


def test_range_before_the_first_reading_is_empty_and_whole(winter: Lake) -> None:
    said = ask(winter, START - 5 * DAY, START)
    assert (said["points_in"], said["truncated"]) == (0, False)
