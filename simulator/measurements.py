"""What a fleet measures on a stretch of its run, model by model and schema version by version."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.clocks import in_whole_ms
from simulator.drafts import Draft
from simulator.faults import FAULTS
from simulator.fleet import Fleet
from simulator.models import Model
from simulator.physics import Columns, Floats, Indexes, Moment, as_values, draw_traits, measure
from simulator.plan import Plan, Span
from simulator.scenarios import Scenario
from simulator.truth import Labelled, Readings, changed, draw_episodes
from telemetry.products import Product

KM_PER_DEGREE = 111.2
LAP_S = 1_800.0
MOST_BEHIND_US = 1_500_000


@dataclass(frozen=True, slots=True)
class Run:
    """What a run's messages depend on; `products` as the registry has them, by key.

    A run with a `past` tells of that time: it begins at `past.begins_at`, and message k happened
    `past.seconds` · k / `total` later. `week_s` is how far into a week the run begins.
    """

    scenario: Scenario
    fleet: Fleet
    products: dict[str, Product]
    boot: str
    seed: int
    rate: float
    total: int
    tolerance: int
    past: "Past | None" = None
    week_s: float = 0.0

    @property
    def told_rate(self) -> float:
        """Messages in a second of the time that is told."""
        return self.rate if self.past is None else self.total / self.past.seconds


@dataclass(frozen=True, slots=True)
class Past:
    """A span of time that is over: its first moment in microseconds, and its length."""

    begins_at: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Clock:
    """When a group is built, and when message 0 was due (None: all are due now)."""

    now: int
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages of one model and schema version: who, when, what, and where if it moves.

    `event_time` is what devices tell, in microseconds: with a fault it may be any time.
    """

    model: Model
    version: int
    span: Span
    event_time: Indexes
    numbers: Columns
    place: Columns

    def where(self, chosen: NDArray[np.bool_]) -> "Stretch":
        """Return the chosen messages."""
        return replace(
            self,
            span=self.span.where(chosen),
            event_time=self.event_time[chosen],
            numbers={name: column[chosen] for name, column in self.numbers.items()},
            place={name: column[chosen] for name, column in self.place.items()},
        )


class Measurements:
    """Measures any stretch of a run; what it says depends on the seed and the time alone."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = Plan(run.scenario, run.fleet, run.seed)
        self.fault_names = self._plan.fault_names
        rng = np.random.default_rng([run.seed, 3])
        self._traits = [
            draw_traits(model, run.fleet.size_of(place), rng)
            for place, model in enumerate(run.fleet.models)
        ]
        lowest, highest = run.scenario.upgrade or (0.0, 0.0)
        self._upgrade = rng.uniform(lowest, highest, len(run.fleet)) * run.total
        zones = [device.zone or "" for device in run.fleet.devices]
        truth, run_s = run.scenario.truth, run.total / run.told_rate
        self._truths = draw_episodes(truth, zones, run_s, run.seed) if truth else ()
        self._labels = self._truths[0].labels() if self._truths else []
        self._labels.reverse()

    def between(self, start: int, stop: int, clock: Clock) -> Iterator[Stretch]:
        """Yield messages `start` to `stop`."""
        for span in self._plan.spans(start, stop):
            model_of = self._run.fleet.model_of[span.device]
            is_new = span.number >= self._upgrade[span.device]
            for place, model in enumerate(self._run.fleet.models):
                for version, is_version in _versions(model, is_new):
                    chosen = (model_of == place) & is_version
                    if chosen.any():
                        yield self._stretch(place, version, span.where(chosen), clock)

    def labels(self, stop: int, clock: Clock) -> Iterator[tuple[Labelled, int, int]]:
        """Yield labels that begin before message `stop`, each once: with event times, from and to.

        Where all is due at once there is no saying when a label begins.
        """
        run = self._run
        origin = run.past.begins_at if run.past else clock.origin
        if origin is None:
            return
        while self._labels and self._labels[-1].begin_s * run.told_rate < stop:
            label = self._labels.pop()
            begin, end = (round(each * 1_000_000) for each in (label.begin_s, label.end_s))
            yield label, origin + begin, origin + end

    def _stretch(self, place: int, version: int, span: Span, clock: Clock) -> Stretch:
        fleet, run = self._run.fleet, self._run
        model, seconds = fleet.models[place], span.number / run.told_rate
        local, week_s = span.device - fleet.starts[place], seconds + run.week_s
        at = Moment(local, week_s, span.noise, run.scenario.day_s)
        numbers = measure(model, version, self._traits[place], at)
        if self._truths:
            traits = zip(model.signals, self._traits[place], strict=True)
            means = {signal.name: each.mean[local] for signal, each in traits}
            readings = Readings(span.device, seconds, week_s, means)
            for episodes in self._truths:
                numbers = changed(numbers, episodes, readings, run.seed)
        return Stretch(
            model=model,
            version=version,
            span=span,
            event_time=self._told(model, span, clock),
            numbers=numbers,
            place=_place(fleet, model.range_km, span.device, seconds) if model.range_km else {},
        )

    def _told(self, model: Model, span: Span, clock: Clock) -> Indexes:
        times, tolerance = self._event_time(span, clock), self._run.tolerance
        product = self._run.products[model.product.key]
        for code, name in enumerate(self.fault_names):
            if tell := FAULTS[name].tell:
                chosen = np.flatnonzero(span.fault == code)
                wrong = tell(product, clock.now, tolerance, span.dice[chosen])
                times[chosen] = in_whole_ms(wrong)
        return times

    def _event_time(self, span: Span, clock: Clock) -> Indexes:
        if self._run.past is not None:
            later = span.number * (1_000_000 / self._run.told_rate)
            return self._run.past.begins_at + later.astype(np.int64) // 1000 * 1000
        due = np.full(len(span.number), clock.now)
        if clock.origin is not None:
            exact = clock.origin + span.number * (1_000_000 / self._run.rate)
            due = np.minimum(exact.astype(np.int64), clock.now)
        event_time = np.maximum(due - span.delay_us, clock.now - MOST_BEHIND_US)
        return event_time // 1000 * 1000

    def drafts(self, stretch: Stretch, now: int) -> Iterator[tuple[int, str, Draft]]:
        """Yield number, fault and draft of each message of a stretch."""
        run, fleet = self._run, self._run.fleet
        product = run.products[stretch.model.product.key]
        rows = zip(_rows(stretch), _metrics(stretch), _extras(stretch), strict=True)
        for (number, fault, device, seq, event_time, dice), metrics, extra in rows:
            if tags := fleet.tags[device]:
                extra["tags"] = tags
            name = fleet.devices[device].device_full
            draft = Draft(
                product, name, run.boot, seq, event_time, now, run.tolerance, metrics, extra, dice
            )
            yield number, self.fault_names[fault], draft


def _rows(stretch: Stretch) -> Iterator[tuple[int, int, int, int, int, float]]:
    span = stretch.span
    columns = (span.number, span.fault, span.device, span.seq, stretch.event_time, span.dice)
    return zip(*(column.tolist() for column in columns), strict=True)


def _metrics(stretch: Stretch) -> list[dict[str, object]]:
    signals = stretch.model.sent_by(stretch.version)
    values = [as_values(signal, stretch.numbers[signal.name]) for signal in signals]
    names = [signal.name for signal in signals]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _extras(stretch: Stretch) -> list[dict[str, object]]:
    if not stretch.place:
        return [{} for _ in range(len(stretch.span.number))]
    columns = [column.tolist() for column in stretch.place.values()]
    return [dict(zip(stretch.place, row, strict=True)) for row in zip(*columns, strict=True)]


def _versions(model: Model, is_new: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.bool_]]]:
    versions = model.product.versions
    if len(versions) < 2:
        return [(1, np.ones_like(is_new))]
    return [(versions[0].version, ~is_new), (versions[-1].version, is_new)]


def _place(fleet: Fleet, range_km: float, devices: Indexes, seconds: Floats) -> Columns:
    lat, lng = fleet.lat[devices], fleet.lng[devices]
    turn = 2 * np.pi * seconds / LAP_S + lat * 1000.0
    away = range_km / KM_PER_DEGREE
    return {
        "lat": np.round(lat + away * np.sin(turn), 5),
        "lng": np.round(lng + away * np.cos(turn) / np.cos(np.radians(lat)), 5),
    }
