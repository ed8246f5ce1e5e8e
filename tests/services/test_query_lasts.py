"""Texts of long ranges: each bucket's last value is its last."""

import pytest

from services.query.answering import Question, answered
from services.query.pieces import Pieces
from services.query.reading import Lake
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.test_query_series import DAY, MINUTE, START

STATES = ("idle", "busy", "off", "test", "stop")


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A state each minute of ten days; it changes each seven minutes."""
    made = TestLake(tmp_path_factory.mktemp("lasts") / "lake")
    made.land(numbered(Reading(START + n * MINUTE, STATES[n // 7 % 5]) for n in range(10 * 1440)))
    made.make_gold(START + 9 * DAY)
    return Lake(str(made.root), Pieces(1 << 24))


@pytest.mark.parametrize("begin", [0, 13 * MINUTE + 1])
@pytest.mark.parametrize("points", [2, 20, 300, 1_000, 5_000])
def test_last_of_a_bucket_is_its_last(states: Lake, points: int, begin: int) -> None:
    asked = Question("default", "meter.m1", "kwh", START + begin, START + 10 * DAY, points)
    answer = answered(states, lambda *_: START + 9 * DAY, asked)
    width = answer.bucket_us
    assert (answer.kind, answer.method) == ("text", "last")
    assert width is not None
    lasts: dict[int, tuple[int, str]] = {}
    for n in range(10 * 1440):
        at = START + n * MINUTE
        if at >= asked.start_us:
            lasts[at // width] = at, STATES[n // 7 % 5]
    found = zip(answer.points.times.tolist(), answer.points.values.tolist(), strict=True)
    assert list(found) == list(lasts.values())
    assert len(lasts) <= points
