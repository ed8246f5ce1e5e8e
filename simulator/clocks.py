"""What device clocks say when something is wrong with them or delivery took long: event times.

Thousands at a time: messages of one product that were received at `now`, `dice` from 0 to 1 each.
"""

from collections.abc import Callable
from datetime import timedelta

import numpy as np

from simulator.drafts import micros_of
from simulator.physics import Floats, Indexes
from telemetry.products import Product

HOUR = micros_of(timedelta(hours=1))
USUAL_LATENESS = timedelta(minutes=10)
"""Of a product that has no lateness of its own."""
Tell = Callable[[Product, int, int, Floats], Floats]
"""From product, `now`, tolerance (both in microseconds) and dice to event times."""


def delayed(least: float, most: float) -> Tell:
    """Return what is told of a delivery that took so many times the product's lateness."""

    def tell(product: Product, now: int, _tolerance: int, dice: Floats) -> Floats:
        lateness = micros_of(product.lateness or USUAL_LATENESS)
        return np.asarray(now - lateness * (least + (most - least) * dice))

    return tell


def behind(_product: Product, now: int, _tolerance: int, dice: Floats) -> Floats:
    """Return times of an hour to weeks ago."""
    return np.asarray(now - HOUR * 480**dice)


def ahead(_product: Product, now: int, tolerance: int, dice: Floats) -> Floats:
    """Return times an hour to years beyond what is tolerated."""
    return np.asarray(now + tolerance + HOUR * 17_520**dice)


def never_set(_product: Product, _now: int, _tolerance: int, dice: Floats) -> Floats:
    """Return times of the first quarter of an hour of 1970."""
    return np.asarray(1_000_000_000 * dice)


def in_whole_ms(micros: Floats) -> Indexes:
    """Return times as devices can write them, in microseconds."""
    return np.asarray(np.round(micros).astype(np.int64) // 1000 * 1000)
