"""Round numbers along an axis."""

import math

MOST = 6


def value_ticks(low: float, high: float, *, is_logarithmic: bool = False) -> list[float]:
    """Return at most six round numbers within a range; decades on a logarithmic axis."""
    found = _decades(low, high) if is_logarithmic else _multiples(low, high)
    return found if len(found) > 1 else sorted({low, high})


def _multiples(low: float, high: float) -> list[float]:
    span = high - low
    if not span or not math.isfinite(span):
        return []
    exponent = math.floor(math.log10(span / (MOST - 1)))
    steps = (factor * 10.0**exponent for factor in (1, 2, 5, 10))
    step = next(step for step in steps if span / step <= MOST - 1)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(number * step, max(0, 1 - exponent)) for number in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    every = max(1, math.ceil((last - first + 1) / MOST))
    return [10.0**exponent for exponent in range(first, last + 1, every)]
