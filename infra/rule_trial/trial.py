"""A rule over history: every alarm that it would have raised, device by device."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl

from detection.keyed import blocks
from detection.models.answering import Answers
from detection.rules.batches import in_zone
from detection.rules.columns import readings_of
from detection.rules.evaluator import Evaluator, Outcome
from detection.rules.readings import Readings, Times
from telemetry.errors import HeadwaterError
from telemetry.rules.rule import Rule, VersionedRule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class History(Protocol):
    """Rows of the past, piece by piece, each behind the one before it."""

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Yield rows with the columns of `detection.rules.columns`."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; `ended_at` None: it lasted when history ended."""

    device: str
    began_at: datetime
    text: str
    ended_at: datetime | None = None


@dataclass(slots=True)
class DeviceTrial:
    """What the rule would have said of one device."""

    device: str
    readings: int = 0
    readings_in_alarm: int = 0
    alarms: list[Alarm] = field(default_factory=list)

    def longest(self, until: datetime) -> timedelta:
        """Return how long its longest alarm lasted, up to the end of history."""
        spans = [(alarm.ended_at or until) - alarm.began_at for alarm in self.alarms]
        return max(spans, default=timedelta())

    @property
    def share_in_alarm(self) -> float:
        """Share of its readings that came while an alarm lasted."""
        return self.readings_in_alarm / self.readings if self.readings else 0.0


@dataclass(slots=True)
class Trial:
    """What the rule would have done."""

    rule: Rule
    devices: dict[str, DeviceTrial] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    @property
    def readings(self) -> int:
        """All readings that the rule watched."""
        return sum(device.readings for device in self.devices.values())

    @property
    def alarms(self) -> list[Alarm]:
        """All alarms by their beginning."""
        found = [alarm for device in self.devices.values() for alarm in device.alarms]
        return sorted(found, key=lambda alarm: (alarm.began_at, alarm.device))

    def worst(self) -> list[DeviceTrial]:
        """Return the devices with alarms, those with most readings in alarm first."""
        found = [device for device in self.devices.values() if device.alarms]
        return sorted(found, key=lambda one: (-one.readings_in_alarm, -len(one.alarms), one.device))


def tried(rule: Rule, history: History, predicts: Answers | None = None) -> Trial:
    """Try a rule on history: as the stream would, but with every reading in its order of time.

    `predicts` finds the models that rules ask; raise `HeadwaterError` for one that cannot answer.
    """
    judging, trial = Evaluator(predicts), Trial(rule)
    judging.put([VersionedRule(rule, is_on=True)], 0)
    for why in judging.refused.values():
        raise HeadwaterError(f"rule {rule.name}: {why}")
    last = 0
    for rows in history.pieces():
        if rows.is_empty():
            continue
        readings = readings_of(rows)
        _note(trial, judging.take(readings, 0))
        _count(trial, readings.where(in_zone(rule, readings)))
        last = max(last, int(readings.times.max()))
        trial.first = trial.first or _moment(int(readings.times.min()))
        trial.last = _moment(last)
    _note(trial, judging.tick(last))
    return trial


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _note(trial: Trial, outcomes: list[Outcome]) -> None:
    for found, alert in outcomes:
        name = found.source.series.device
        device = trial.devices.setdefault(name, DeviceTrial(name))
        if found.state == "firing":
            device.alarms.append(Alarm(name, _moment(found.time), alert.text))
        else:
            began = device.alarms.pop()
            device.alarms.append(Alarm(name, began.began_at, began.text, _moment(found.time)))


def _count(trial: Trial, readings: Readings) -> None:
    devices: dict[str, int] = {}
    codes = [devices.setdefault(source.series.device, len(devices)) for source in readings.sources]
    names = list(devices)
    for rows, cells in blocks(np.array(codes, np.intp)[readings.of]):
        for row, places in zip(rows.tolist(), cells, strict=True):
            device = trial.devices.setdefault(names[row], DeviceTrial(names[row]))
            device.readings += len(places)
            device.readings_in_alarm += _in_alarm(device.alarms, readings.times[places])


def _in_alarm(alarms: list[Alarm], times: Times) -> int:
    """Count the times that fall into an alarm; alarms follow one another."""
    found, first = 0, _moment(int(times.min())) if len(times) else EPOCH
    for alarm in reversed(alarms):
        if alarm.ended_at is not None and alarm.ended_at <= first:
            break
        within = times >= _micros(alarm.began_at)
        if alarm.ended_at is not None:
            within &= times < _micros(alarm.ended_at)
        found += int(within.sum())
    return found


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
