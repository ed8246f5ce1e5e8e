"""Sessions are runs without a gap, whatever the order in which readings come."""

import random
from datetime import timedelta

import polars as pl

from spark_jobs.transforms import sessions
from spark_jobs.transforms.rules import rules
from telemetry.products import Product
from tests.spark_jobs.gold_fleet import NOON
from tests.spark_jobs.test_partials import readings

RULES = rules([Product("x", tenant="x", session_gap=timedelta(seconds=10))])


def at(*seconds: int) -> pl.DataFrame:
    """Return readings of the product x at these seconds."""
    times = pl.Series([NOON + timedelta(seconds=second) for second in seconds])
    return readings(*[float(second) for second in seconds]).with_columns(event_time=times)


def stored(partials: pl.DataFrame) -> pl.DataFrame:
    return sessions.ended(partials).drop("last_seen")


def spans(partials: pl.DataFrame) -> list[tuple[float, float, int]]:
    ordered = partials.sort("window_start")
    return list(ordered.select("first", "last", "count").iter_rows())


def test_a_gap_above_the_limit_begins_a_session() -> None:
    found = sessions.of_rows(at(0, 10, 21), RULES)

    assert spans(found) == [(0.0, 10.0, 2), (21.0, 21.0, 1)]


def test_a_late_reading_between_two_sessions_makes_them_one() -> None:
    two = sessions.of_rows(at(0, 5, 20, 25), RULES)
    assert len(spans(two)) == 2

    one = sessions.extended(stored(two), sessions.of_rows(at(12), RULES))

    assert spans(one) == [(0.0, 25.0, 5)]
    assert stored(one)["window_end"].to_list() == [NOON + timedelta(seconds=35)]


def test_any_order_of_arrival_gives_the_same_sessions() -> None:
    dice = random.Random(4)
    seconds = [dice.randrange(0, 600) for _ in range(60)]
    whole = spans(sessions.of_rows(at(*seconds), RULES))
    for _ in range(5):
        dice.shuffle(seconds)
        grown = sessions.of_rows(at(*seconds[:1]), RULES)
        for second in seconds[1:]:
            grown = sessions.extended(stored(grown), sessions.of_rows(at(second), RULES))
        assert spans(grown) == whole


def test_products_that_ask_for_none_have_none() -> None:
    assert sessions.of_rows(at(0, 5), rules([Product("x", tenant="x")])).is_empty()
