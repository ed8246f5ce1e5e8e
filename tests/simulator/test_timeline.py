"""The past that a run tells of, and pasts that cannot be told."""

from datetime import UTC, datetime

import pytest

from simulator.models import load_model
from simulator.options import Options
from simulator.scenarios import load_scenario
from simulator.timeline import check_labels, past_of
from telemetry.errors import HeadwaterError
from telemetry.products import Product

DAY_S = 86_400.0
NOW = round(datetime(2026, 11, 26, 9, 30, tzinfo=UTC).timestamp() * 1e6)


def options(scenario: str = "theft", *, rate: float | None = 100.0, over: float | None) -> Options:
    """Return what a command line says."""
    return Options(load_scenario(scenario), 10, rate, 60.0, None, 1, None, quiet=True, over=over)


def products(asked: Options) -> list[Product]:
    """Return the products of a scenario's fleet."""
    return [load_model(key).product for key in asked.scenario.fleet]


def test_a_past_begins_on_the_last_monday_that_is_long_enough_ago() -> None:
    asked = options(over=10 * DAY_S)
    past = past_of(asked, products(asked), NOW)

    assert past is not None
    assert datetime.fromtimestamp(past.begins_at / 1e6, UTC) == datetime(2026, 11, 16, tzinfo=UTC)
    assert past.seconds == 10 * DAY_S


def test_without_a_span_messages_happen_now() -> None:
    asked = options("mixed", over=None)

    assert past_of(asked, products(asked), NOW) is None
    check_labels(asked)


@pytest.mark.parametrize(
    ("scenario", "rate", "said"),
    [
        ("meters", 100.0, "meter would be late"),
        ("mixed", 100.0, "without faults"),
        ("theft", None, "number of messages"),
    ],
)
def test_a_past_that_cannot_be_told_is_refused(
    scenario: str, rate: float | None, said: str
) -> None:
    asked = options(scenario, rate=rate, over=10 * DAY_S)

    with pytest.raises(HeadwaterError, match=said):
        past_of(asked, products(asked), NOW)


def test_labels_need_a_pace() -> None:
    with pytest.raises(HeadwaterError, match="--rate"):
        check_labels(options(rate=None, over=None))
