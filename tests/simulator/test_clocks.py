"""What wrong clocks and long deliveries tell lies where their fault's name says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator import clocks
from simulator.physics import Floats
from telemetry.products import Product

NOW, TOLERANCE = 1_795_000_000_000_000, 60_000_000
PUMP = Product("pump")
DICE = st.lists(st.floats(0, 1), min_size=1).map(np.array)


@given(DICE)
def test_a_clock_ahead_is_beyond_what_is_tolerated(dice: Floats) -> None:
    told = clocks.ahead(PUMP, NOW, TOLERANCE, dice)
    assert (told >= NOW + TOLERANCE + clocks.HOUR).all()


@given(DICE)
def test_a_clock_behind_is_at_least_an_hour_late(dice: Floats) -> None:
    told = clocks.behind(PUMP, NOW, TOLERANCE, dice)
    assert ((told <= NOW - clocks.HOUR) & (told >= NOW - 480 * clocks.HOUR)).all()


@given(DICE)
def test_a_clock_that_was_never_set_tells_of_1970(dice: Floats) -> None:
    told = clocks.never_set(PUMP, NOW, TOLERANCE, dice)
    assert ((told >= 0) & (told <= 1_000_000_000)).all()


@given(DICE)
def test_a_delivery_takes_so_many_times_the_lateness(dice: Floats) -> None:
    assert PUMP.lateness_us is not None
    told = clocks.delayed(1.2, 3.0)(PUMP, NOW, TOLERANCE, dice)
    times = (NOW - told) / PUMP.lateness_us
    assert ((times > 1.199) & (times < 3.001)).all()


@given(DICE)
def test_devices_write_whole_milliseconds(dice: Floats) -> None:
    told = clocks.in_whole_ms(NOW + 1e6 * dice)
    assert (told % 1000 == 0).all()
