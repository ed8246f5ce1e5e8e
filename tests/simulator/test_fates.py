"""Fates of many messages are those of one, whatever their product allows."""

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.drafts import by_delay
from simulator.fates import FATES, by_delays
from telemetry.products import Product

LIMITS = st.none() | st.timedeltas(timedelta(0), timedelta(days=3))
DELAYS = st.lists(st.integers(-(10**9), 10**12), max_size=20)


@given(lateness=LIMITS, max_age=LIMITS, delays=DELAYS)
def test_many_as_one(
    lateness: timedelta | None, max_age: timedelta | None, delays: list[int]
) -> None:
    product = Product("meter", lateness=lateness, max_age=max_age)
    for limit in (product.lateness_us, product.max_age_us):
        delays += [] if limit is None else [limit, limit + 1]
    many = by_delays(product, np.array(delays, np.int64))
    assert [FATES[fate] for fate in many] == [by_delay(product, delay) for delay in delays]
