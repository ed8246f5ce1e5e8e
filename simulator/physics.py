"""What devices measure: plain functions of device, time and noise, so that no state is kept.

value = mean + daily · sin 2π(t / day - peak + ¼) + drift · sin(2π t / period + phase)
        + Σ gain · (followed value - its mean) + noise

With a shape the cycle is mean · daily · shape(hour of the day) instead; a week has seven days.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.chance import normal
from simulator.models import Model, Signal

Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]

Columns = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Traits:
    """What sets the devices of one model apart for one signal, an element a device."""

    mean: Floats
    daily: Floats
    shift: Floats
    period_s: Floats
    phase: Floats


@dataclass(frozen=True, slots=True)
class Moment:
    """For which devices (indexes within their model) and when; noise has a column a signal."""

    devices: Indexes
    seconds: Floats
    noise: Floats
    day_s: float


def draw_traits(model: Model, count: int, rng: np.random.Generator) -> list[Traits]:
    """Draw every device's own character, signal by signal."""
    return [_draw(signal, count, rng) for signal in model.signals]


def _draw(signal: Signal, count: int, rng: np.random.Generator) -> Traits:
    return Traits(
        mean=rng.uniform(*signal.mean, count),
        daily=signal.daily * rng.uniform(0.7, 1.3, count),
        shift=rng.normal(0.0, 0.02, count),
        period_s=rng.uniform(300.0, 5400.0, count),
        phase=rng.uniform(0.0, 2 * np.pi, count),
    )


def measure(model: Model, version: int, traits: list[Traits], at: Moment) -> Columns:
    """Return each sent signal's number: the value, for words and truth values its level."""
    numbers: Columns = {}
    deviations: Columns = {}
    sent = model.sent_by(version)
    for place, signal in enumerate(model.signals):
        if signal not in sent:
            continue
        if signal.integral_of is None:
            level = _level(signal, traits[place], at, deviations)
            drawn = at.noise[:, place % at.noise.shape[1]]
            level += signal.noise * drawn
            if signal.shape:
                level *= _restlessness(signal, traits[place], at, drawn)
            deviations[signal.name] = level - traits[place].mean[at.devices]
        else:
            source = _place(model, signal.integral_of)
            level = traits[place].mean[at.devices] + signal.scale * _integral(
                model.signals[source], traits[source], at
            )
        numbers[signal.name] = level if signal.clip is None else np.clip(level, *signal.clip)
    return {signal.name: numbers[signal.name] for signal in sent}


def _place(model: Model, name: str) -> int:
    return next(place for place, signal in enumerate(model.signals) if signal.name == name)


def _turn(signal: Signal, traits: Traits, at: Moment) -> Floats:
    shift = traits.shift[at.devices] + signal.peak - 0.25
    return 2 * np.pi * (at.seconds / at.day_s - shift)


def _level(signal: Signal, traits: Traits, at: Moment, deviations: Columns) -> Floats:
    level: Floats = traits.mean[at.devices].copy()
    if signal.shape:
        level *= 1.0 + traits.daily[at.devices] * _shape(signal, at)
    elif signal.daily:
        level += traits.daily[at.devices] * np.sin(_turn(signal, traits, at))
    if signal.drift:
        turn = 2 * np.pi * at.seconds / traits.period_s[at.devices] + traits.phase[at.devices]
        level += signal.drift * np.sin(turn)
    for name, gain in signal.follows.items():
        level += gain * deviations[name]
    return level


def _shape(signal: Signal, at: Moment) -> Floats:
    hours = (at.seconds / at.day_s % 1.0) * len(signal.shape)
    before = hours.astype(np.int64) % len(signal.shape)
    ahead = np.array(signal.shape)[(before + 1) % len(signal.shape)]
    here = np.array(signal.shape)[before]
    return np.asarray(here + (ahead - here) * (hours - np.floor(hours)))


def _restlessness(signal: Signal, traits: Traits, at: Moment, drawn: Floats) -> Floats:
    """Return the factor of the day of the week, of the device's own day, and of the reading."""
    day = (at.seconds // at.day_s).astype(np.int64)
    own = (traits.phase[at.devices] * 1e9).astype(np.int64)
    factor = np.where(day % 7 >= 5, signal.weekend, 1.0)
    for sigma, chance in ((signal.days, normal(0, own, day)), (signal.spread, drawn)):
        factor = factor * np.exp(sigma * chance - sigma * sigma / 2)
    return np.asarray(factor)


def _integral(signal: Signal, traits: Traits, at: Moment) -> Floats:
    turn = _turn(signal, traits, at)
    start = turn - 2 * np.pi * at.seconds / at.day_s
    swing = traits.daily[at.devices] * at.day_s / (2 * np.pi)
    total: Floats = traits.mean[at.devices] * at.seconds + swing * (np.cos(start) - np.cos(turn))
    return total


def as_values(signal: Signal, numbers: Floats) -> list[object]:
    """Return what the device sends: numbers rounded, or truth values, or words."""
    if signal.words:
        return [signal.words[level] for level in np.searchsorted(signal.levels, numbers)]
    if signal.above is not None:
        return list((numbers > signal.above).tolist())
    rounded = np.round(numbers, signal.decimals) + 0.0
    return list((rounded if signal.decimals else rounded.astype(np.int64)).tolist())
