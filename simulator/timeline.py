"""When a run's messages happened: now, one after another, or in a past that it tells of."""

from collections.abc import Iterable

from simulator.measurements import Past
from simulator.options import Options
from simulator.targets import has_no_limits
from telemetry.errors import HeadwaterError
from telemetry.products import Product

WEEK_US = 7 * 86_400_000_000
MONDAY_US = 4 * 86_400_000_000
"""The first Monday after 1970 began."""


def past_of(options: Options, products: Iterable[Product], now: int) -> Past | None:
    """Return the span that `--over` asks for; None: messages happen as they are sent.

    It begins on the last Monday, 00:00 UTC, that lies so long ago, so that the same seed tells the
    same of the same hours of the week. Raise `HeadwaterError` if the run cannot tell of a past.
    """
    if options.over is None:
        return None
    if options.rate is None and options.messages is None:
        raise HeadwaterError("--over needs a number of messages: give a --rate, or --messages")
    if options.scenario.faults:
        raise HeadwaterError("--over is for scenarios without faults: theft, wear, traffic, …")
    limited = sorted(product.key for product in products if not has_no_limits(product))
    if limited:
        raise HeadwaterError(
            f"--over tells of a past, in which {', '.join(limited)} would be late or too old:"
            " it is for products whose lateness and max_age are unbounded"
        )
    earliest = now - round(options.over * 1_000_000)
    return Past(earliest - since_monday_us(earliest), options.over)


def since_monday_us(now: int) -> int:
    """Return how long ago the week began, in UTC."""
    return (now - MONDAY_US) % WEEK_US


def check_labels(options: Options) -> None:
    """Raise `HeadwaterError` if there is no saying when an episode begins."""
    if options.scenario.truth and options.rate is None and options.over is None:
        raise HeadwaterError(
            "a scenario with truth needs a --rate, or --over a span with --messages"
        )
