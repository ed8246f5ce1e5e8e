"""A rule of silence: a device, or one metric of it, has said nothing for too long."""

import numpy as np

from detection.keyed import blocks
from detection.rules.batches import Arrays, Batch, Calendar, Found, in_zone, is_within, stays
from detection.rules.readings import Flags, Readings, Rows, Source, Times
from detection.rules.roster import Roster
from detection.rules.scores import score
from detection.rules.touched import Touched
from telemetry.rules.checks import NoData
from telemetry.rules.rule import VersionedRule
from telemetry.rules.words import span_us

_OUTSIDE = -1
_NEVER = -(2**62)
_UNKNOWN = 2**62
"""When silence begins that cannot be told from what was said so far."""
_HEARD, _SPOKE, _SINCE, _OWNER = range(4)


class SilenceWatch:
    """Remembers when each device, or its metric, was heard last: 40 bytes of each.

    Silence begins when it has lasted long enough, told by the next tick or by the reading that
    shows it: at the same event time either way. With `connected_within` it begins once the device
    has also said something else so recently, by event times again: what the clock shows when it is
    looked for, and how readings are cut into batches, do not matter.

    A device that speaks from a zone which the rule does not name is watched again once it is back.
    A tick tells no silence of a device whose last word came less long ago, whenever that was: of a
    backlog, or of history, more is on its way.
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
        self._came = np.zeros(0, np.int64)
        """When what broke the silence last had come, by the clock of who received it."""
        self._touched = Touched()
        self._begin()

    def _begin(self) -> None:
        """Know of devices that spoke before the rule was there when they did."""
        self._meet()
        zone = self.kept.rule.scope.zone
        is_here = [zone in (None, source.zone) for source in self._roster.sources]
        watched = np.flatnonzero((self._of != _OUTSIDE) & np.array(is_here, np.bool_))
        newest = self._roster.newest
        np.maximum.at(self._devices[:, _SPOKE], self._of[watched], newest[watched])
        counted = watched[self._counts[watched]]
        in_time = counted[np.argsort(newest[counted], kind="stable")]
        self._devices[self._of[in_time], _HEARD] = newest[in_time]
        self._devices[self._of[in_time], _OWNER] = in_time

    def take(self, batch: Batch) -> list[Found]:
        """Look at a batch, and remember it."""
        self._meet()
        rows, is_here = self._of[batch.numbers], in_zone(self.kept.rule, batch.readings)
        cells = np.flatnonzero(rows != _OUTSIDE)
        found: list[Found] = []
        for here, some in stays(rows[cells], is_here, cells):
            if here:
                found += self._take_here(batch, some)
            else:
                found += self._leave(batch.readings, rows, some)
        return found

    def _leave(self, readings: Readings, rows: Rows, cells: Rows) -> list[Found]:
        """Watch devices no more that were, and have broken their silence elsewhere."""
        leaving, first = np.unique(rows[cells], return_index=True)
        was_here = self._devices[leaving, _HEARD] != _NEVER
        leaving, spoke = leaving[was_here], cells[first][was_here][:, None]
        found = self._heard(readings, leaving, spoke, np.ones(spoke.shape, np.bool_))
        for column in (_HEARD, _SINCE):
            self._devices[leaving, column] = _NEVER
        self._touched.add(leaving)
        return found

    def _take_here(self, batch: Batch, here: Rows) -> list[Found]:
        rows, counts = self._of[batch.numbers], self._counts[batch.numbers]
        fits = np.zeros(len(rows), np.bool_)
        fits[here] = True
        counted = np.flatnonzero(fits & counts)
        self._devices[rows[counted], _OWNER] = batch.numbers[counted]
        came = batch.readings.times[counted] + batch.readings.delays[counted]
        np.maximum.at(self._came, rows[counted], came)
        # What else a device says matters only where it has to be connected.
        cells = counted if self._connected_us is None else np.flatnonzero(fits)
        self._touched.add(rows[fits])
        found: list[Found] = []
        for devices, places in blocks(rows[cells]):
            found += self._heard(batch.readings, devices, cells[places], counts[cells[places]])
        np.maximum.at(self._devices[:, _SPOKE], rows[fits], batch.readings.times[fits])
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
        self._came = np.concatenate([self._came, more[:, 0]])

    def _heard(self, readings: Readings, rows: Rows, cells: Rows, counts: Flags) -> list[Found]:
        """Take up what some devices said, a device a row; tell silences that begin or end so.

        `counts` says which readings break the silence.
        """
        times = readings.times[cells]
        heard = _highest(self._devices[rows, _HEARD], np.where(counts, times, _NEVER))
        spoke = _highest(self._devices[rows, _SPOKE], times)
        self._devices[rows, _HEARD], self._devices[rows, _SPOKE] = heard[:, -1], spoke[:, -1]
        is_new = counts & (times > heard[:, :-1])
        begins = self._begins(heard[:, :-1], spoke[:, :-1])
        is_due = begins < times
        found: list[Found] = []
        concerned = is_due.any(axis=1) | (self._devices[rows, _SINCE] != _NEVER)
        for row in np.flatnonzero(concerned).tolist():
            since = int(self._devices[rows[row], _SINCE])
            for place in np.flatnonzero(is_due[row] | is_new[row]).tolist():
                cell = int(cells[row, place])
                source = readings.source(cell)
                if since == _NEVER and is_due[row, place]:
                    since = int(begins[row, place])
                    found.append(self._found(source, since, cell))
                if since != _NEVER and is_new[row, place]:
                    found.append(self._over(source, since, int(times[row, place]), cell))
                    since = _NEVER
            self._devices[rows[row], _SINCE] = since
        return found

    def tick(self, until: int, *, is_history: bool) -> list[Found]:
        """Find devices that have said nothing for too long by then."""
        self._meet()
        devices = self._devices
        begins = self._begins(devices[:, _HEARD], devices[:, _SPOKE])
        is_silent = (devices[:, _SINCE] == _NEVER) & (begins < until)
        if not is_history:
            is_silent &= self._came + self._lasts < until
        silent = np.flatnonzero(is_silent)
        devices[silent, _SINCE] = begins[silent]
        self._touched.add(silent)
        return [
            self._found(self._source(device), int(begins[device]), -1)
            for device in silent.tolist()
        ]  # fmt: skip

    def _begins(self, heard: Times, spoke: Times) -> Times:
        """Return when silence becomes an alarm if nothing more is said, `_UNKNOWN` for never.

        It must have lasted, within the schedule, and the device been connected: then, or once it
        was again.
        """
        begins = heard + self._lasts
        if self._connected_us is not None:
            begins = np.maximum(begins, spoke)
        known = heard != _NEVER
        begins = np.where(known, self._calendar.next_at(np.where(known, begins, 0)), _UNKNOWN)
        if self._connected_us is None:
            return begins
        return np.where(begins - spoke <= self._connected_us, begins, _UNKNOWN)

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

    def lasting(self) -> list[Found]:
        """Return the silences that last."""
        since = self._devices[:, _SINCE].tolist()
        return [
            self._found(self._source(device), began, -1)
            for device, began in enumerate(since)
            if began != _NEVER
        ]

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
        return {"devices": self._devices, "came": self._came}

    def changes(self) -> Arrays:
        """Return what is remembered of the devices that changed since this was asked last."""
        rows = self._touched.take()
        return {"rows": rows, "devices": self._devices[rows], "came": self._came[rows]}

    def load(self, state: Arrays) -> None:
        """Take up what was remembered: devices in the order in which the roster names them."""
        saved = state["devices"].astype(np.int64)
        self._devices[: len(saved)] = saved
        self._came[: len(saved)] = _came(state)

    def apply(self, changes: Arrays) -> None:
        """Take up what changed; new devices stand in the roster."""
        self._meet()
        self._devices[changes["rows"]] = changes["devices"]
        self._came[changes["rows"]] = _came(changes)


def _came(state: Arrays) -> Times:
    """Return when devices' last words came; what an earlier release has saved says but of when."""
    return state.get("came", state["devices"][:, _HEARD]).astype(np.int64)


def _highest(before: Times, times: Times) -> Times:
    """Return the highest time before each reading of a row, and behind the last one."""
    together = np.concatenate([before[:, None], times], axis=1)
    return np.asarray(np.maximum.accumulate(together, axis=1))
