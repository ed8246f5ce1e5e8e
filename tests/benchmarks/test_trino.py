"""What is measured of Trino's small queries."""

import pytest

from benchmarks.trino import milliseconds, queries
from benchmarks.tsbs_fleet import day


@pytest.mark.parametrize(
    ("told", "expected"), [("250.00us", 0.25), ("1.50ms", 1.5), ("2.25s", 2250.0), ("1.00m", 6e4)]
)
def test_durations_are_read_in_every_unit(told: str, expected: float) -> None:
    assert milliseconds(told) == pytest.approx(expected)


def test_small_queries_ask_for_a_device_that_is_there() -> None:
    known = day(trucks=3, steps=2)
    asked = queries(known)
    device = f"'{known.trucks['model'][1].lower()}.{known.trucks['name'][1]}'"
    assert device in asked["count"]
    assert device in asked["newest"]
