"""Token buckets by a clock that may be set."""

import pytest

from gateway.limits import Limits, Rate, refused_by
from tests.gateway.entrances import NOW_US

PER_S = 10
BURST = 20
HOUR_US = 3_600_000_000


def taken(limits: Limits, now: int, count: int = 100) -> int:
    """Return how many of so many messages at once pass."""
    buckets = limits.of("default", "d1")
    return sum(refused_by(buckets, now) is None for _ in range(count))


def limited() -> Limits:
    return Limits(Rate(PER_S, BURST), Rate(), Rate())


@pytest.mark.parametrize("back_us", [HOUR_US, 2_000_000])
def test_clock_that_is_set_back_refuses_nobody_for_longer(back_us: int) -> None:
    limits = limited()
    assert taken(limits, NOW_US) == BURST

    assert taken(limits, NOW_US - back_us) == 0
    assert taken(limits, NOW_US - back_us + 1_000_000) == PER_S


def test_bucket_that_was_full_is_full_when_the_clock_is_set_back() -> None:
    limits = limited()
    taken(limits, NOW_US, 1)
    assert taken(limits, NOW_US + 10_000_000 - HOUR_US) >= BURST - 1


def test_what_was_taken_at_once_is_still_owed_when_the_clock_is_set_back() -> None:
    limits = limited()
    buckets = limits.of("default", "d1")
    assert refused_by(buckets, NOW_US, 1_000) is None

    assert taken(limits, NOW_US - HOUR_US) == 0
    assert taken(limits, NOW_US - HOUR_US + 97_000_000) == 0
    assert taken(limits, NOW_US - HOUR_US + 99_000_000) == PER_S


def test_readings_of_a_clock_that_differ_by_little_give_nothing_away() -> None:
    limits = limited()
    assert taken(limits, NOW_US) == BURST
    assert sum(taken(limits, NOW_US - early, 1) for early in (900_000, 500_000, 1) * 10) == 0
