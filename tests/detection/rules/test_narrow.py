"""Numbers in two bytes: near what was put there, whatever else is."""

import numpy as np
import pytest

from detection.rules.narrow import ROUNDED_BY, Halves


def halves(count: int = 7) -> Halves:
    """Return two series of numbers of which there is none yet."""
    return Halves(np.zeros((2, Halves.HEAD_BYTES + 2 * count), np.uint8), count)


def put(numbers: Halves, slot: int, value: float, share: float = 1.0) -> None:
    """Move a number of the second series towards a value."""
    numbers.move((np.array([1]), np.array([slot])), np.array([value]), share)


def at(numbers: Halves, slot: int, series: int = 1) -> float:
    """Return a number."""
    return float(numbers[np.array([series]), np.array([slot])][0])


@pytest.mark.parametrize("value", [0.0, -1.5, 0.1, 101_325.25, -1e-30, 3e37, 1e100, -1e100, 1e-300])
def test_first_number_of_a_series_is_its_centre(value: float) -> None:
    numbers = halves()
    put(numbers, 6, value)
    assert at(numbers, 6) == pytest.approx(
        np.clip(value, -1.7014e38, 1.7014e38), rel=1e-5, abs=1e-37
    )
    assert np.isnan([at(numbers, slot) for slot in range(6)]).all()
    assert np.isnan(at(numbers, 6, series=0))


@pytest.mark.parametrize("first", [0.0, 1e-17, 20.0, 101_325.0, -5.0])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e5])
def test_numbers_are_kept_to_eleven_digits_of_their_distance_from_the_first(
    first: float, size: float
) -> None:
    drawn = np.random.default_rng(4).normal(0.0, size, 6)
    numbers = halves()
    put(numbers, 0, first)
    for slot, value in enumerate(drawn, 1):
        put(numbers, slot, first + float(value))
    numbers.settle(np.array([0, 1]))
    # Twice: where another centre is nearer, they are rounded again.
    for slot, value in enumerate(drawn, 1):
        near = pytest.approx(first + value, abs=2 * ROUNDED_BY * max(abs(value), size))
        assert at(numbers, slot) == near


def test_absurd_numbers_take_no_digits_from_their_neighbours() -> None:
    numbers = halves(84)
    for slot in range(84):
        put(numbers, slot, 1e38 if 30 <= slot < 42 else 20.0 + slot % 7)
        if slot % 28 == 27:
            numbers.settle(np.array([1]))
    for slot in (0, 29, 43, 83):
        assert at(numbers, slot) == pytest.approx(20.0 + slot % 7, abs=0.02)
    assert at(numbers, 30) > 1e9


def test_small_moves_do_not_stall() -> None:
    numbers = halves()
    put(numbers, 0, 1000.0)
    for value in (0.0, *[0.9] * 40):
        put(numbers, 1, value, 0.3)
    assert at(numbers, 1) == pytest.approx(0.9, abs=ROUNDED_BY * 1000)
    for value in [1.9] * 40:
        put(numbers, 1, value, 0.3)
    assert at(numbers, 1) == pytest.approx(1.9, abs=ROUNDED_BY * 1000)


def test_centre_that_was_a_poor_one_is_chosen_anew() -> None:
    numbers = halves(84)
    put(numbers, 0, 0.0)
    for slot in range(1, 84):
        put(numbers, slot, 101_325.0 + slot)
    for _ in range(60):
        numbers.settle(np.array([1]))
        for slot in range(1, 84):
            put(numbers, slot, 101_325.0 + slot, 0.3)
    assert at(numbers, 7) == pytest.approx(101_332.0, abs=0.1)
    assert at(numbers, 0) == pytest.approx(0.0, abs=60)
