"""What truly goes wrong with what devices measure, and what only looks like it.

The six kinds of theft are the false data FDI1 to FDI6 of Zheng, Chen, Wang and Kang, "A Novel
Combined Data-Driven Approach for Electricity Theft Detection", IEEE Transactions on Industrial
Informatics 15(3), 2019. With x the honest reading and m the home's mean:
factor a x; cap min(x, g); less max(x - g, 0); window 0 at some hours of each day, else x;
restless a(t) x; average a(t) m; 0.2 < a < 0.8, and g is such a share of m.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.physics import Columns, Floats, Indexes

RAMP = 0.1
"""Share of a jam in which it builds up, and in which it dissolves."""


@dataclass(frozen=True, slots=True)
class Course:
    """Where each reading stands in its episode, an element a reading.

    `progress` from 0 to 1; `hours` of the day; `one` and `two` are the episode's own chances,
    `hourly` one that is drawn anew each hour, `own` one of the reading; `means` by metric.
    """

    progress: Floats
    hours: Floats
    one: Floats
    two: Floats
    hourly: Floats
    own: Floats
    means: Columns

    def where(self, chosen: Indexes | NDArray[np.bool_]) -> "Course":
        """Return the chosen readings."""
        return Course(
            self.progress[chosen],
            self.hours[chosen],
            self.one[chosen],
            self.two[chosen],
            self.hourly[chosen],
            self.own[chosen],
            {name: mean[chosen] for name, mean in self.means.items()},
        )


Change = Callable[[Columns, Course], Columns]


@dataclass(frozen=True, slots=True)
class Effect:
    """A kind of truth: what it means, the metric that shows it, and what it does to readings."""

    meaning: str
    metric: str
    change: Change


def _share(chance: Floats) -> Floats:
    return np.asarray(0.2 + 0.6 * chance)


def _factor(numbers: Columns, at: Course) -> Columns:
    return {"power": numbers["power"] * _share(at.one)}


def _cap(numbers: Columns, at: Course) -> Columns:
    return {"power": np.minimum(numbers["power"], at.means["power"] * _share(at.one))}


def _less(numbers: Columns, at: Course) -> Columns:
    return {"power": np.maximum(numbers["power"] - at.means["power"] * _share(at.one), 0.0)}


def _window(numbers: Columns, at: Course) -> Columns:
    lasts = 6.0 + 6.0 * at.two
    return {"power": np.where((at.hours - 24.0 * at.one) % 24.0 < lasts, 0.0, numbers["power"])}


def _restless(numbers: Columns, at: Course) -> Columns:
    return {"power": numbers["power"] * _share(at.hourly)}


def _average(_numbers: Columns, at: Course) -> Columns:
    return {"power": at.means["power"] * _share(at.hourly)}


def _away(numbers: Columns, at: Course) -> Columns:
    return {"power": numbers["power"] * (0.1 + 0.3 * at.one)}


def _bearing(numbers: Columns, at: Course) -> Columns:
    """Damage grows ever faster: vibration by the cube of its age, then heat."""
    return {
        "vibration": numbers["vibration"] * (1.0 + (2.0 + 3.0 * at.one) * at.progress**3),
        "temperature": numbers["temperature"] + (8.0 + 12.0 * at.two) * at.progress**2,
    }


def _imbalance(numbers: Columns, at: Course) -> Columns:
    grown = (0.8 + 1.2 * at.one) * at.progress
    return {"vibration": numbers["vibration"] * (1.0 + grown)}


def _overheating(numbers: Columns, at: Course) -> Columns:
    return {"temperature": numbers["temperature"] + (20.0 + 20.0 * at.one) * at.progress}


def _resetting(numbers: Columns, at: Course) -> Columns:
    """Another speed for another job, with the vibration and heat that belong to it."""
    faster = 200.0 * (2.0 * at.one - 1.0)
    return {
        "rpm": np.maximum(numbers["rpm"] + faster, 0.0),
        "vibration": np.maximum(numbers["vibration"] + 0.0012 * faster, 0.0),
        "temperature": numbers["temperature"] + 0.008 * faster,
    }


def _ramped(at: Course) -> Floats:
    return np.asarray(np.clip(np.minimum(at.progress, 1.0 - at.progress) / RAMP, 0.0, 1.0))


def _jam(numbers: Columns, at: Course) -> Columns:
    ramp = _ramped(at)
    return {
        "speed": numbers["speed"] * (1.0 - (0.4 + 0.3 * at.one) * ramp),
        "flow": numbers["flow"] * (1.0 - (0.2 + 0.2 * at.two) * ramp),
    }


def _standstill(numbers: Columns, at: Course) -> Columns:
    ramp = _ramped(at)
    return {
        "speed": numbers["speed"] * (1.0 - (0.9 + 0.09 * at.one) * ramp),
        "flow": numbers["flow"] * (1.0 - 0.95 * ramp),
    }


_WEIGHT_SIGMA_G = 0.8


def _signed(chance: Floats, least: float, most: float) -> Floats:
    """Return -most to -least, or least to most."""
    turned = 2.0 * chance - 1.0
    return np.asarray(np.sign(turned) * (least + (most - least) * np.abs(turned)))


def _drift(numbers: Columns, at: Course) -> Columns:
    away = _WEIGHT_SIGMA_G * _signed(at.one, 2.0, 5.0)
    return {"weight": numbers["weight"] + away * at.progress}


def _step(numbers: Columns, at: Course) -> Columns:
    return {"weight": numbers["weight"] + _WEIGHT_SIGMA_G * _signed(at.one, 1.5, 4.0)}


def _outliers(numbers: Columns, at: Course) -> Columns:
    is_out = at.own < 0.02
    away = _WEIGHT_SIGMA_G * _signed(at.hourly, 4.0, 8.0)
    return {"weight": numbers["weight"] + np.where(is_out, away, 0.0)}


EFFECTS: Mapping[str, Effect] = {
    "factor": Effect("a constant share of what is used", "power", _factor),
    "cap": Effect("no more than a cap: peaks are shaved", "power", _cap),
    "less": Effect("a constant amount less than is used", "power", _less),
    "window": Effect("nothing at some hours of each day: a bypass", "power", _window),
    "restless": Effect("another share each hour", "power", _restless),
    "average": Effect("a share of the mean, another each hour", "power", _average),
    "away": Effect("nobody at home", "power", _away),
    "bearing": Effect("a bearing wears out, ever faster", "vibration", _bearing),
    "imbalance": Effect("a rotor loses its balance", "vibration", _imbalance),
    "overheating": Effect("cooling fails by and by", "temperature", _overheating),
    "resetting": Effect("another speed for another job", "rpm", _resetting),
    "jam": Effect("slow traffic in the zone", "speed", _jam),
    "standstill": Effect("hardly anything moves in the zone", "speed", _standstill),
    "drift": Effect("weights drift away", "weight", _drift),
    "step": Effect("weights are suddenly others", "weight", _step),
    "outliers": Effect("one weight in fifty is off", "weight", _outliers),
}
