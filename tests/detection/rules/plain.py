"""Rules as one would write them for one series and one reading at a time: the tests' oracle."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from telemetry.rules.checks import (
    Check,
    Ewma,
    Mad,
    Range,
    Rate,
    Ratio,
    Seasonal,
    Stuck,
    Threshold,
    ZScore,
)
from telemetry.rules.rule import Rule
from telemetry.rules.words import span_us

Reading = tuple[int, float]
"""Time in microseconds, and value."""
FIVE_MINUTES, WEEK = 300_000_000, 7 * 86_400_000_000
MONDAY = 4 * 86_400_000_000


class Seen(NamedTuple):
    """What a check sees of a reading: the bounds, the same moved by the hysteresis, a baseline."""

    subject: float
    low: float
    high: float
    least_to_clear: float
    most_to_clear: float
    baseline: float | None = None


INF = float("inf")


def seen(rule: Rule, past: list[Reading], reading: Reading) -> Seen | None:
    """Look at a reading in the light of all readings before it; None: it cannot be judged."""
    check, hysteresis, value = rule.check, rule.hysteresis, reading[1]
    match check:
        case Threshold(bound=bound):
            is_high = check.direction == "above"
            return _seen(value, *((-INF, bound) if is_high else (bound, INF)), hysteresis)
        case Range():
            return _seen(value, *_sides(check.low, check.high, check.direction), hysteresis)
        case Rate():
            return _rate(check, past, reading, hysteresis)
        case Stuck():
            return _stuck(check, past, reading)
        case ZScore() | Ewma():
            return _weighted(check, past, reading, hysteresis)
        case Mad():
            return _median(check, past, value, hysteresis)
        case Seasonal():
            baseline, spread = _season(past, reading, check.slots)
            return None if baseline is None else _about(check, value, baseline, spread, hysteresis)
        case Ratio():
            return _ratio(check, past, reading, hysteresis)
    raise AssertionError(check)


def _sides(low: float, high: float, direction: str) -> tuple[float, float]:
    return (-INF if direction == "above" else low), (INF if direction == "below" else high)


def _seen(subject: float, low: float, high: float, hysteresis: float) -> Seen:
    return Seen(subject, low, high, low + hysteresis, high - hysteresis)


def _about(
    check: ZScore | Mad | Ewma | Seasonal,
    subject: float,
    centre: float,
    scale: float,
    hysteresis: float,
) -> Seen:
    scale = max(scale, 1e-6 * abs(centre) + 1e-9)
    low, high = _sides(-check.deviations, check.deviations, check.direction)
    return _in_scale(subject, centre, scale, (low, high, low + hysteresis, high - hysteresis))


def _in_scale(
    subject: float, centre: float, scale: float, limits: tuple[float, float, float, float]
) -> Seen:
    low, high, least, most = (centre + limit * scale for limit in limits)
    return Seen(subject, low, high, least, most, centre)


def _rate(check: Rate, past: list[Reading], reading: Reading, hysteresis: float) -> Seen | None:
    if not past or reading[0] <= past[-1][0]:
        return None
    rate = (reading[1] - past[-1][1]) * span_us("per", check.per) / (reading[0] - past[-1][0])
    return _seen(rate, *_sides(-check.bound, check.bound, check.direction), hysteresis)


def _stuck(check: Stuck, past: list[Reading], reading: Reading) -> Seen:
    same = [reading]
    for earlier in reversed(past):
        if earlier[1] != reading[1]:
            break
        same.append(earlier)
    lasted = reading[0] - same[-1][0]
    is_stuck = len(same) >= check.readings and lasted >= span_us("lasts", check.lasts)
    return _seen(1.0 if is_stuck else 0.0, -INF, 0.5, 0.0)


def _weights(values: list[float], rate: float) -> float:
    """Return the mean of values with weights that fall by `rate` a value."""
    weights = [(1.0 - rate) ** age for age in reversed(range(len(values)))]
    total = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return total / sum(weights)


def _weighted(
    check: ZScore | Ewma, past: list[Reading], reading: Reading, hysteresis: float
) -> Seen | None:
    if len(past) < 2:
        return None
    values, rate = [value for _, value in past], 2.0 / (check.readings + 1.0)
    mean = _weights(values, rate)
    squares = [
        (values[place] - _weights(values[:place], rate)) ** 2 for place in range(1, len(values))
    ]
    spread = _weights(squares, rate) ** 0.5
    if isinstance(check, ZScore):
        return _about(check, reading[1], mean, spread, hysteresis)
    smoothed = _weights([*values, reading[1]], check.smoothing)
    least = 1e-6 * abs(mean) + 1e-9
    narrower = (check.smoothing / (2.0 - check.smoothing)) ** 0.5
    return _about_exactly(check, smoothed, mean, max(spread, least) * narrower, hysteresis)


def _about_exactly(check: Ewma, subject: float, centre: float, scale: float, back: float) -> Seen:
    low, high = _sides(-check.deviations, check.deviations, check.direction)
    return _in_scale(subject, centre, scale, (low, high, low + back, high - back))


def _median(check: Mad, past: list[Reading], value: float, hysteresis: float) -> Seen | None:
    if len(past) < check.readings:
        return None
    last = [each for _, each in past[-check.readings :]]
    middle = statistics.median(last)
    spread = 1.4826 * statistics.median(abs(each - middle) for each in last)
    return _about(check, value, middle, spread, hysteresis)


def _season(past: list[Reading], reading: Reading, slots: int) -> tuple[float | None, float]:
    """Return the mean of the slot's past weeks, and the spread of what came before."""
    sizes: list[float] = []
    weights: list[float] = []
    for place, each in enumerate([*past, reading]):
        baseline = _slot_mean(past[:place], each[0], slots)
        sizes.append(0.0 if baseline is None else abs(each[1] - baseline))
        weights.append(0.0 if baseline is None else 1.0)
    return _slot_mean(past, reading[0], slots), _spread(sizes[:-1], weights[:-1])


def _spread(sizes: list[float], weights: list[float]) -> float:
    falling = [0.995**age for age in reversed(range(len(sizes)))]
    weight = sum(one * other for one, other in zip(falling, weights, strict=True))
    total = sum(one * other for one, other in zip(falling, sizes, strict=True))
    return 1.2533141373155003 * total / weight if weight else 0.0


def _slot_mean(past: list[Reading], at: int, slots: int) -> float | None:
    now = (at - MONDAY) // (WEEK // slots)
    weeks: dict[int, list[float]] = {}
    for time, value in past:
        slot = (time - MONDAY) // (WEEK // slots)
        if slot % slots == now % slots and slot < now:
            weeks.setdefault(slot, []).append(value)
    mean = None
    for slot in sorted(weeks):
        here = statistics.fmean(weeks[slot])
        mean = here if mean is None else mean + 0.3 * (here - mean)
    return mean


def _hour_mean(past: list[Reading], at: int) -> float | None:
    now = at // FIVE_MINUTES
    last = [value for time, value in past if now - 12 <= time // FIVE_MINUTES < now]
    return statistics.fmean(last) if last else None


def _ratio(check: Ratio, past: list[Reading], reading: Reading, hysteresis: float) -> Seen | None:
    if check.against == "season":
        baseline, spread = _season(past, reading, check.slots)
    else:
        baseline = _hour_mean(past, reading[0])
        means = [_hour_mean(past[:place], past[place][0]) for place in range(len(past))]
        sizes = [
            0.0 if mean is None else abs(value - mean)
            for (_, value), mean in zip(past, means, strict=True)
        ]
        spread = _spread(sizes, [0.0 if mean is None else 1.0 for mean in means])
    if baseline is None or baseline <= 0:
        return None
    away = max(spread, 1e-6 * abs(baseline) + 1e-9) * check.spreads
    if check.direction == "below":
        bound = min(check.ratio * baseline, baseline - away)
        unit = bound / check.ratio
        return Seen(reading[1], bound, INF, bound + hysteresis * unit, INF, baseline)
    bound = max(check.ratio * baseline, baseline + away)
    unit = bound / check.ratio
    return Seen(reading[1], -INF, bound, -INF, bound - hysteresis * unit, baseline)


@dataclass
class Alarm:
    """The state of one series' alarm, by lists of what was judged."""

    breaks: list[bool] = field(default_factory=list)
    clears: list[bool] = field(default_factory=list)
    is_firing: bool = False


def events(rule: Rule, readings: list[Reading]) -> Iterator[tuple[str, int]]:
    """Yield what becomes of one series' alarm, and when."""
    past: list[Reading] = []
    alarm, learns = Alarm(), rule.learns
    k, n = rule.persistence.k, rule.persistence.n
    for reading in readings:
        if past and reading[0] < max(time for time, _ in past):
            continue
        has_learnt = len(past) >= learns.readings and (
            reading[0] - (past or [reading])[0][0] >= learns.span_us
        )
        here = seen(rule, past, reading)
        past.append(reading)
        if here is None or not has_learnt:
            continue
        alarm.breaks.append(_is_broken(here, rule.least_deviation))
        is_clear = here.least_to_clear <= here.subject <= here.most_to_clear
        alarm.clears.append(is_clear and not alarm.breaks[-1])
        broke, back = sum(alarm.breaks[-n:]), sum(alarm.clears[-n:])
        if alarm.breaks[-1] and broke >= k and not alarm.is_firing:
            alarm.is_firing = True
            yield "firing", reading[0]
        elif alarm.clears[-1] and broke < k and back >= k and alarm.is_firing:
            alarm.is_firing = False
            yield "resolved", reading[0]


def _is_broken(here: Seen, least: float) -> bool:
    bound = here.low if here.subject < here.low else here.high
    reference = bound if here.baseline is None else here.baseline
    return not here.low <= here.subject <= here.high and abs(here.subject - reference) >= least


def is_series(check: Check) -> bool:
    """Say whether a check is one of those that are written out here."""
    return isinstance(
        check, Threshold | Range | Rate | Stuck | ZScore | Mad | Ewma | Seasonal | Ratio
    )
