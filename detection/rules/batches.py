"""What a batch hands to each rule, and what a rule finds in it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from detection.rules.readings import Flags, Readings, Rows, Source, Times
from detection.rules.seasons import local, slots_of
from telemetry.alerts import LONGEST_NAME
from telemetry.rules.rule import Rule, Scope, VersionedRule
from telemetry.rules.schedule import DAYS, zone_named
from telemetry.rules.words import span_us

_WEEK_MINUTES = 7 * 1440
_MINUTE_US = 60_000_000
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings that are in order, with the number of each one's series in the roster.

    `has_number` says which have a value that can be looked at; others are NaN.
    """

    readings: Readings
    numbers: Rows
    has_number: Flags


class Found(NamedTuple):
    """An alarm that begins or is over. Times in microseconds; numbers are NaN where there is none.

    `cell` is the reading's place in the batch, -1 for none; `since` when the alarm began.
    `taught_by` is the version of the stored baseline, a day since 1970; -1: learnt here, or none.
    `reading` is the reading itself where one metric is watched: `value` may be made of it.
    """

    kept: VersionedRule
    source: Source
    metric: str | None
    state: Literal["firing", "resolved"]
    time: int
    cell: int
    value: float = float("nan")
    bound: float = float("nan")
    baseline: float = float("nan")
    score: float = float("nan")
    since: int = -1
    taught_by: int = -1
    reading: float = float("nan")


class Watch(Protocol):
    """One rule at work."""

    kept: VersionedRule

    def take(self, batch: Batch) -> list[Found]:
        """Look at a batch, and remember it."""

    def tick(self, until: int, *, is_history: bool) -> list[Found]:
        """Find what the passing of time has made an alarm; microseconds since 1970.

        In history nothing more is on its way.
        """

    def lasting(self) -> list[Found]:
        """Return the alarms that last, since when they do; what they were of is forgotten."""

    def end(self, now: int) -> list[Found]:
        """Say that every alarm of the rule is over, since it judges no more."""

    def state(self) -> Arrays:
        """Return what is remembered."""

    def changes(self) -> Arrays:
        """Return what is remembered of the rows that changed since this was asked last."""

    def load(self, state: Arrays) -> None:
        """Take up what was remembered."""

    def apply(self, changes: Arrays) -> None:
        """Take up what changed; the roster has been told before."""


def named(metrics: Sequence[str]) -> str:
    """Return metrics as an alert names them: all, or as many as it has room for."""
    whole = ", ".join(metrics)
    if len(whole) <= LONGEST_NAME:
        return whole
    ends = itertools.accumulate(len(metric) + 2 for metric in metrics)
    kept = sum(end <= LONGEST_NAME - len(" and 99 more") for end in ends)
    return f"{', '.join(metrics[:kept])} and {len(metrics) - kept} more"


def is_within(rule: Rule, source: Source) -> bool:
    """Say whether a rule watches a device, wherever it stands."""
    scope: Scope = rule.scope
    return (
        source.series.tenant == rule.tenant
        and scope.product in (None, source.product)
        and scope.device in (None, source.series.device)
    )


def in_zone(rule: Rule, readings: Readings) -> Flags:
    """Say which readings come from the zone that the rule names."""
    zone = rule.scope.zone
    if zone is None:
        return np.ones(len(readings), np.bool_)
    fits = np.array([source.zone == zone for source in readings.sources], np.bool_)
    return np.asarray(fits[readings.of])


def stays(owners: Rows, is_here: Flags, cells: Rows) -> Iterator[tuple[bool, Rows]]:
    """Yield cells that are here, and cells that are elsewhere, each owner's in their order.

    `owners` say whose each of the cells is; those that move are few, and come one by one.
    """
    here = is_here[cells]
    if here.all():
        yield True, cells
        return
    moving = np.intersect1d(owners[here], owners[~here])
    moves = np.isin(owners, moving)
    for side in (True, False):
        yield side, cells[(here == side) & ~moves]
    for owner in moving.tolist():
        mine = cells[owners == owner].tolist()
        for is_stay, run in itertools.groupby(mine, key=is_here.__getitem__):
            yield bool(is_stay), np.array(list(run), np.intp)


class Calendar:
    """When a rule judges: its schedule in its time zone, and readings that came in time."""

    def __init__(self, rule: Rule) -> None:
        self._zone = zone_named(rule.timezone)
        self._within = None if rule.connected_within is None else span_us(
            "connected_within", rule.connected_within
        )  # fmt: skip
        self._minutes: Flags | None = None
        self._waits: Times | None = None
        if rule.schedule is not None:
            held = rule.schedule.holds
            self._minutes = np.array(
                [held(minute // 1440, minute % 1440) for minute in range(1440 * len(DAYS))]
            )
            self._waits = _waits(self._minutes)

    def judges(self, times: Times, delays: Times) -> Flags:
        """Say which readings are judged."""
        judged = np.ones(times.shape, np.bool_)
        if self._minutes is not None:
            minute = slots_of(local(times, self._zone), _WEEK_MINUTES) % _WEEK_MINUTES
            judged &= self._minutes[minute]
        if self._within is not None:
            judged &= delays <= self._within
        return judged

    def next_at(self, at: Times) -> Times:
        """Return the first moments from `at` on, in microseconds, at which the schedule holds."""
        if self._waits is None:
            return at
        minute = slots_of(local(at, self._zone), _WEEK_MINUTES) % _WEEK_MINUTES
        wait = self._waits[minute]
        return np.where(wait == 0, at, (at // _MINUTE_US + wait) * _MINUTE_US)


def _waits(holds: Flags) -> Times:
    """Return for each minute of the week how many there are until the schedule holds."""
    minutes = np.arange(2 * len(holds))
    held = np.flatnonzero(np.concatenate([holds, holds]))
    return np.asarray(held[np.searchsorted(held, minutes[: len(holds)])] - minutes[: len(holds)])
