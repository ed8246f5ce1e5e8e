"""A day of TSBS's trucks, drawn anew: what they are, and what they said in order of arrival.

The use case, its fields, ranges, steps and faults are those of timescale/tsbs (`pkg/data/usecases/
iot`): values walk between bounds, one message in ten is lost, one in three comes late, one in ten
lacks a field. Three things differ. A truck's own words are never lost, as the registry holds them
here. Trucks stand for 10 to 60 minutes now and then: TSBS's never stand for long, so that most
questions about driving are answered by all of them or by none. And they begin with any amount of
fuel: TSBS's begin with full tanks, so that after a day none is low.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

SEED = 20_262
START = datetime(2026, 6, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
STEP_S, A_DAY = 10, 8_640
FLEETS = ("East", "West", "North", "South")
DRIVERS = ("Derek", "Rodney", "Albert", "Andy", "Seth", "Trish")
VERSIONS = ("v1.0", "v1.5", "v2.0", "v2.3")
MODELS = (
    ("F-150", 2000.0, 200.0, 15.0),
    ("G-2000", 5000.0, 300.0, 19.0),
    ("H-2", 1500.0, 150.0, 12.0),
)
"""Name, load capacity, fuel capacity, nominal fuel consumption."""
BATCH, BATCH_LOST, BATCH_LATE = 10, 0.01, 0.05
LOST, LATE, LACKING = 0.1, 0.3, 0.1
READING_FIELDS = (
    "latitude",
    "longitude",
    "elevation",
    "velocity",
    "heading",
    "grade",
    "fuel_consumption",
)
DIAGNOSTIC_FIELDS = ("fuel_state", "current_load", "status")


@dataclass(frozen=True, slots=True)
class Day:
    """Trucks, a row each, and their messages in order of arrival.

    `trucks`: truck, name, fleet, driver, model, device_version, load_capacity (kg), fuel_capacity
    (l), nominal_fuel_consumption (l/100 km). `readings` and `diagnostics`: truck, step (of 10 s),
    time_us, arrived_us, and a column a field, null where the message lacks it.
    """

    trucks: pl.DataFrame
    readings: pl.DataFrame
    diagnostics: pl.DataFrame


def day(trucks: int = 100, steps: int = A_DAY, seed: int = SEED) -> Day:
    """Draw a day."""
    chance = np.random.default_rng(seed)
    known = _trucks(chance, trucks)
    readings = _readings(chance, trucks, steps)
    diagnostics = _diagnostics(chance, trucks, steps)
    # A step's messages follow one another: all trucks' readings, then all their diagnostics.
    order = np.arange(steps * 2 * trucks).reshape(steps, 2, trucks)
    there, arrival = _arrivals(chance, order.size)
    return Day(
        known,
        _messages(chance, READING_FIELDS, readings, (there, arrival), order[:, 0]),
        _messages(chance, DIAGNOSTIC_FIELDS, diagnostics, (there, arrival), order[:, 1]),
    )


def _trucks(chance: np.random.Generator, count: int) -> pl.DataFrame:
    models = [MODELS[n] for n in chance.integers(len(MODELS), size=count)]
    return pl.DataFrame(
        {
            "truck": np.arange(count),
            "name": [f"truck_{n}" for n in range(count)],
            "fleet": chance.choice(FLEETS, count).tolist(),
            "driver": chance.choice(DRIVERS, count).tolist(),
            "model": [name for name, *_ in models],
            "device_version": chance.choice(VERSIONS, count).tolist(),
            "load_capacity": [load for _, load, _, _ in models],
            "fuel_capacity": [fuel for _, _, fuel, _ in models],
            "nominal_fuel_consumption": [nominal for *_, nominal in models],
        }
    )


def _readings(chance: np.random.Generator, trucks: int, steps: int) -> list[np.ndarray]:
    """Return the values of each field, a row a step and a column a truck."""

    def walk(step: float, least: float, most: float, start: np.ndarray) -> np.ndarray:
        return walked(chance.uniform(-step, step, (steps, trucks)), least, most, start)

    zero, one = np.zeros(trucks), np.ones(trucks)
    velocity = walk(10, 0, 100, zero)
    velocity[_standing(chance, trucks, steps)] = 0
    return [
        _cut(walk(0.005, -90, 90, chance.uniform(0, 90, trucks)), 5),
        _cut(walk(0.005, -180, 180, chance.uniform(0, 180, trucks)), 5),
        _cut(walk(10, 0, 5000, chance.uniform(0, 500, trucks)), 0),
        _cut(velocity, 0),
        _cut(walk(5, 0, 360, chance.uniform(0, 360, trucks)), 0),
        _cut(walk(5, 0, 100, zero), 0),
        _cut(walk(5, 0, 50, 25 * one), 1),
    ]


def _diagnostics(chance: np.random.Generator, trucks: int, steps: int) -> list[np.ndarray]:
    burnt = chance.uniform(-0.001, 0, (steps, trucks))
    fuel = walked(burnt, 0, 1, chance.random(trucks), refill=True)
    status = walked(chance.standard_normal((steps, trucks)), 0, 5, np.zeros(trucks))
    loads = chance.uniform(0, 5000, (steps, trucks))
    is_loaded = chance.random((steps, trucks)) < 0.05
    is_loaded[0] = True
    newest = np.maximum.accumulate(np.where(is_loaded, np.arange(steps)[:, None], 0), axis=0)
    load = np.take_along_axis(loads, newest, axis=0)
    return [_cut(fuel, 1), _cut(load, 0), _cut(status, 0)]


def walked(
    steps: np.ndarray, least: float, most: float, start: np.ndarray, *, refill: bool = False
) -> np.ndarray:
    """Return walks by steps (a row each) within bounds; by `refill` the least becomes the most."""
    at, found = start, np.empty_like(steps)
    for number, step in enumerate(steps):
        at = np.clip(at + step, least, most)
        if refill:
            at = np.where(at == least, most, at)
        found[number] = at
    return found


def _standing(chance: np.random.Generator, trucks: int, steps: int) -> np.ndarray:
    """Return when each truck stands: after 1 to 4 hours of driving, for 10 to 60 minutes."""
    found = np.zeros((steps, trucks), dtype=bool)
    minute = 60 // STEP_S
    for truck in range(trucks):
        at = 0
        while at < steps:
            at += int(chance.integers(60, 240)) * minute
            until = at + int(chance.integers(10, 60)) * minute
            found[at:until, truck] = True
            at = until
    return found


def _cut(values: np.ndarray, digits: int) -> np.ndarray:
    """Cut to decimal digits, towards zero."""
    cut: np.ndarray = np.trunc(values * 10**digits) / 10**digits
    return cut


def _arrivals(chance: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which messages arrive, and after how many others that were sent before them.

    Messages are sent in batches of ten; a late one waits for its turn with one chance in two.
    """
    batch = np.arange(count) // BATCH
    batches = batch[-1] + 1
    there = (chance.random(batches) >= BATCH_LOST)[batch] & (chance.random(count) >= LOST)
    waits = np.where(chance.random(count) < LATE, chance.geometric(0.5, count), 0)
    held = chance.random(batches) < BATCH_LATE
    batch_waits = np.where(held, chance.geometric(0.5, batches), 0)[batch] * BATCH
    return there, np.arange(count) + waits + batch_waits


def _messages(
    chance: np.random.Generator,
    names: tuple[str, ...],
    values: list[np.ndarray],
    arrivals: tuple[np.ndarray, np.ndarray],
    order: np.ndarray,
) -> pl.DataFrame:
    there, arrival = (each[order] for each in arrivals)
    step, truck = np.nonzero(there)
    at, trucks = arrival[there], order.shape[1]
    lacking = np.where(chance.random(len(at)) < LACKING, chance.integers(7, size=len(at)), -1)
    # TSBS draws one of seven fields for either kind of message, and goes round where it has less.
    lacking = np.where(lacking < 0, -1, lacking % len(names))
    fields = {
        name: pl.Series(np.where(lacking == n, np.nan, field[there]), nan_to_null=True)
        for n, (name, field) in enumerate(zip(names, values, strict=True))
    }
    frame = pl.DataFrame(
        {
            "truck": truck,
            "step": step,
            "time_us": START_US + step * STEP_S * 1_000_000,
            # A step of ten seconds has its messages one after another.
            "arrived_us": START_US + at * (STEP_S * 1_000_000) // (2 * trucks),
            **fields,
        }
    )
    return frame.sort("arrived_us", maintain_order=True)
