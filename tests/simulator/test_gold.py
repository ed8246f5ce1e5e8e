"""Gold held against windows that are computed again."""

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl
import pytest

from simulator.scoring.gold import compared

NUMBERS = ("sum", "min", "max", "mean", "stddev", "first", "last")
OTHERS = ("count", "first_text", "last_text", "first_bool", "last_bool")
START = datetime(2026, 11, 20, tzinfo=UTC)
BEYOND = float("inf")


def window(said: Mapping[str, float], prefix: str = "") -> pl.DataFrame:
    values: dict[str, object] = dict.fromkeys(OTHERS) | dict.fromkeys(NUMBERS, 1.0)
    values.update({"count": 2, **said})
    named = {f"{prefix}{name}": [value] for name, value in values.items()}
    return pl.DataFrame({"who": ["default/m.d"], "metric": ["x"], "window_start": [START], **named})


@pytest.mark.parametrize(
    ("ours", "gold", "is_wrong"),
    [
        ({}, {}, False),
        ({"sum": 3.0}, {}, True),
        ({"sum": BEYOND, "stddev": BEYOND}, {"sum": BEYOND, "stddev": float("nan")}, False),
        ({"sum": BEYOND}, {"sum": 3.0}, True),
    ],
)
def test_sums_beyond_all_doubles_are_alike(
    ours: dict[str, float], gold: dict[str, float], is_wrong: bool
) -> None:
    found = compared(window(ours), window(gold, "gold_"))

    assert found["is_wrong"].to_list() == [is_wrong]
