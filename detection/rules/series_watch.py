"""A rule over one metric: each series is looked at, then judged."""

import numpy as np

from detection.keyed import blocks
from detection.memory import Bytes
from detection.rules.alarms import Judged, alarms
from detection.rules.batches import Arrays, Batch, Calendar, Found, in_zone, is_within
from detection.rules.judging import STATE_BYTES, lasting_since
from detection.rules.looking import looking
from detection.rules.looks import Look, blank
from detection.rules.readings import Flags, Roster, Rows, Times, Values
from telemetry.rules.rule import VersionedRule

SEEN_BYTES = 16
"""Of each series: how many readings were seen, and when the first one was."""
HEAD_BYTES = STATE_BYTES + SEEN_BYTES
_UNSEEN, _OUTSIDE = -1, -2


class SeriesWatch:
    """One rule at work on the series of its metric; `state_bytes` of each are remembered."""

    def __init__(self, kept: VersionedRule, roster: Roster) -> None:
        self.kept = kept
        self._roster = roster
        self._looking = looking(kept.rule)
        self.state_bytes = HEAD_BYTES + self._looking.state_bytes
        self._calendar = Calendar(kept.rule)
        self._learns = kept.rule.learns
        self._states: Bytes = np.zeros((0, self.state_bytes), np.uint8)
        self._owners = np.zeros(0, np.intp)
        """Number in the roster of each row of the states."""
        self._rows = np.zeros(0, np.intp)
        """Row of each series of the roster, or why it has none."""

    def take(self, batch: Batch) -> list[Found]:
        """Look at a batch, and remember it."""
        self._meet()
        fits = self._rows[batch.numbers] != _OUTSIDE
        fits &= batch.has_number & in_zone(self.kept.rule, batch.readings)
        cells = np.flatnonzero(fits)
        if not len(cells):
            return []
        rows = self._rows_of(batch.numbers[cells])
        readings = batch.readings.where(cells)
        look = self._look(rows, readings.values, readings.times)
        judges = self._calendar.judges(readings.times, readings.delays)
        some = np.flatnonzero(look.usable & judges)
        judged = Judged(rows[some], readings.times[some], cells[some], look.where(some))
        return alarms(self.kept, self._looking.limits, judged, self._states, batch.readings.source)

    def _meet(self) -> None:
        """Find out of each new series whether the rule watches it."""
        rule = self.kept.rule
        fits = [
            _UNSEEN if one.series.metric == rule.metrics[0] and is_within(rule, one) else _OUTSIDE
            for one in self._roster.sources[len(self._rows) :]
        ]
        self._rows = np.concatenate([self._rows, np.array(fits, np.intp)])

    def _rows_of(self, numbers: Rows) -> Rows:
        """Return the row of each reading's series; a new series gets a row of zeros."""
        new = np.unique(numbers[self._rows[numbers] == _UNSEEN])
        self._rows[new] = len(self._owners) + np.arange(len(new))
        self._owners = np.concatenate([self._owners, new])
        missing = len(self._owners) - len(self._states)
        if missing > 0:
            more = np.zeros((max(missing, len(self._states)), self.state_bytes), np.uint8)
            self._states = np.concatenate([self._states, more])
        return np.asarray(self._rows[numbers])

    def _look(self, rows: Rows, values: Values, times: Times) -> Look:
        """Return the look at each reading; usable are those whose series has learnt enough."""
        seen = blank(len(rows))
        for series, cells in blocks(rows):
            states, at = self._states[series], times[cells]
            look = self._looking.step(values[cells], at, states[:, HEAD_BYTES:])
            learnt = self._has_learnt(at, states)
            for whole, part in zip(seen, look._replace(usable=look.usable & learnt), strict=True):
                whole[cells] = part
            self._states[series] = states
        return seen

    def _has_learnt(self, times: Times, states: Bytes) -> Flags:
        seen = states[:, STATE_BYTES:HEAD_BYTES].view(np.int64)
        before = seen[:, :1] + np.arange(times.shape[1])
        first = np.where(seen[:, :1] == 0, times[:, :1], seen[:, 1:])
        seen[:, :1] += times.shape[1]
        seen[:, 1:] = first
        learns = self._learns
        return np.asarray((before >= learns.readings) & (times - first >= learns.span_us))

    def tick(self, _now: int) -> list[Found]:
        """Find nothing: readings alone are judged."""
        return []

    def end(self, now: int) -> list[Found]:
        """Say that every alarm is over, since the rule judges no more."""
        states = self._states[: len(self._owners)]
        since = lasting_since(states)
        firing = np.flatnonzero(since >= 0)
        found = [
            Found(self.kept, self._roster.sources[self._owners[row]], self.kept.rule.metrics[0],
                  "resolved", now, -1, since=int(since[row]))
            for row in firing.tolist()
        ]  # fmt: skip
        self._states[firing, :STATE_BYTES] = 0
        return found

    def state(self) -> Arrays:
        """Return what is remembered."""
        return {"states": self._states[: len(self._owners)], "owners": self._owners}

    def load(self, state: Arrays) -> None:
        """Take up what was remembered; series that the rule does not watch any more are left."""
        self._states = state["states"].astype(np.uint8)
        self._owners = state["owners"].astype(np.intp)
        self._rows = np.zeros(0, np.intp)
        self._meet()
        self._rows[self._owners] = np.arange(len(self._owners))
