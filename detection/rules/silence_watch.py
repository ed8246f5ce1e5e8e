"""A rule of silence: a device, or one metric of it, has said nothing for too long."""

import numpy as np

from detection.keyed import blocks
from detection.rules.batches import Arrays, Batch, Calendar, Found, in_zone, is_within
from detection.rules.readings import Readings, Roster, Rows, Source
from detection.rules.scores import score
from telemetry.rules.checks import NoData
from telemetry.rules.rule import VersionedRule
from telemetry.rules.words import span_us

_OUTSIDE = -1
_NEVER = -(2**62)
_HEARD, _SPOKE, _SINCE, _OWNER = range(4)


class SilenceWatch:
    """Remembers when each device, or its metric, was heard last: 32 bytes of each.

    Silence begins when it has lasted long enough, told by the next tick or by the reading that
    ends it: at the same event time either way. With `connected_within` the device must say
    something else meanwhile, which the tick alone can see.
    """

    def __init__(self, kept: VersionedRule, roster: Roster) -> None:
        assert isinstance(kept.rule.check, NoData)
        self.kept = kept
        self._roster = roster
        self._lasts = span_us("lasts", kept.rule.check.lasts)
        within = kept.rule.connected_within
        self._connected_us = None if within is None else span_us("connected_within", within)
        self._calendar = Calendar(kept.rule)
        self._rows: dict[tuple[str, str], int] = {}
        self._of = np.zeros(0, np.intp)
        """Row of each series of the roster by its device; -1: not watched."""
        self._counts = np.zeros(0, np.bool_)
        """Whether a series breaks the silence that is watched."""
        self._devices = np.zeros((0, 4), np.int64)
        self._begin()

    def _begin(self) -> None:
        """Know of devices that spoke before the rule was there when they did."""
        self._meet()
        watched = np.flatnonzero(self._of != _OUTSIDE)
        newest = self._roster.newest
        np.maximum.at(self._devices[:, _SPOKE], self._of[watched], newest[watched])
        counted = watched[self._counts[watched]]
        in_time = counted[np.argsort(newest[counted], kind="stable")]
        self._devices[self._of[in_time], _HEARD] = newest[in_time]
        self._devices[self._of[in_time], _OWNER] = in_time

    def take(self, batch: Batch) -> list[Found]:
        """Look at a batch, and remember it."""
        self._meet()
        rows = self._of[batch.numbers]
        cells = np.flatnonzero((rows != _OUTSIDE) & in_zone(self.kept.rule, batch.readings))
        np.maximum.at(self._devices[:, _SPOKE], rows[cells], batch.readings.times[cells])
        cells = cells[self._counts[batch.numbers[cells]]]
        rows = rows[cells]
        self._devices[rows, _OWNER] = batch.numbers[cells]
        found: list[Found] = []
        for series, places in blocks(rows):
            found += self._heard(batch.readings, series, cells[places])
        return found

    def _meet(self) -> None:
        rule = self.kept.rule
        of, counts = [], []
        for source in self._roster.sources[len(self._of) :]:
            key = source.series[:2]
            watched = is_within(rule, source)
            of.append(self._rows.setdefault(key, len(self._rows)) if watched else _OUTSIDE)
            counts.append(not rule.metrics or source.series.metric == rule.metrics[0])
        self._of = np.concatenate([self._of, np.array(of, np.intp)])
        self._counts = np.concatenate([self._counts, np.array(counts, np.bool_)])
        more = np.full((len(self._rows) - len(self._devices), 4), _NEVER, np.int64)
        self._devices = np.concatenate([self._devices, more])

    def _heard(self, readings: Readings, rows: Rows, cells: Rows) -> list[Found]:
        """Take up what some devices said, a device a row; tell silences that it ends."""
        times = readings.times[cells]
        before = self._devices[rows, _HEARD][:, None]
        highest = np.maximum.accumulate(np.concatenate([before, times], axis=1), axis=1)
        self._devices[rows, _HEARD] = highest[:, -1]
        past, is_new = highest[:, :-1], times > highest[:, :-1]
        gap = is_new & (past != _NEVER) & (times - past > self._lasts)
        is_first = is_new & (np.cumsum(is_new, axis=1) == 1)
        told = is_first & (self._devices[rows, _SINCE] != _NEVER)[:, None]
        found: list[Found] = []
        for row, place in np.argwhere(gap | told).tolist():
            cell, at = int(cells[row, place]), int(times[row, place])
            source = readings.source(cell)
            if told[row, place]:
                since = int(self._devices[rows[row], _SINCE])
                self._devices[rows[row], _SINCE] = _NEVER
                found.append(self._over(source, since, at, cell))
            elif self._connected_us is None:
                since = self._begins(int(past[row, place]))
                if since < at:
                    found.append(self._found(source, since, cell))
                    found.append(self._over(source, since, at, cell))
        return found

    def tick(self, now: int) -> list[Found]:
        """Find devices that have said nothing for too long by now."""
        self._meet()
        devices = self._devices
        silent = (devices[:, _HEARD] != _NEVER) & (devices[:, _SINCE] == _NEVER)
        silent &= now - devices[:, _HEARD] > self._lasts
        if self._connected_us is not None:
            silent &= now - devices[:, _SPOKE] <= self._connected_us
        found = []
        for device in np.flatnonzero(silent).tolist():
            since = self._begins(int(devices[device, _HEARD]))
            if since <= now:
                devices[device, _SINCE] = since
                found.append(self._found(self._source(device), since, -1))
        return found

    def _begins(self, heard: int) -> int:
        """Return when silence becomes an alarm: after its time, and within the schedule."""
        return self._calendar.next_at(heard + self._lasts)

    def _found(self, source: Source, since: int, cell: int) -> Found:
        lasts = self._lasts / 1e6
        metric = self.kept.rule.metrics[0] if self.kept.rule.metrics else None
        reached = score(self.kept.rule.check, lasts, lasts, 0.0, 1.0)
        return Found(self.kept, source, metric, "firing", since, cell, lasts, lasts,
                     score=reached, since=since)  # fmt: skip

    def _over(self, source: Source, since: int, at: int, cell: int) -> Found:
        at = max(at, since)
        silent = (at - since + self._lasts) / 1e6
        return self._found(source, since, cell)._replace(state="resolved", time=at, value=silent)

    def _source(self, device: int) -> Source:
        return self._roster.sources[int(self._devices[device, _OWNER])]

    def end(self, now: int) -> list[Found]:
        """Say that every alarm is over, since the rule judges no more."""
        firing = np.flatnonzero(self._devices[:, _SINCE] != _NEVER).tolist()
        found = [
            self._over(self._source(device), int(self._devices[device, _SINCE]), now, -1)
            for device in firing
        ]
        self._devices[firing, _SINCE] = _NEVER
        return found

    def state(self) -> Arrays:
        """Return what is remembered."""
        return {"devices": self._devices}

    def load(self, state: Arrays) -> None:
        """Take up what was remembered: devices in the order in which the roster names them."""
        saved = state["devices"].astype(np.int64)
        self._devices[: len(saved)] = saved
