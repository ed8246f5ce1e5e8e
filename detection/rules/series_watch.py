"""A rule over one metric: each series is looked at, then judged."""

import numpy as np

from detection.keyed import blocks
from detection.memory import Bytes
from detection.rules.alarms import Judged, alarms, gone_elsewhere
from detection.rules.baselines import Baselines
from detection.rules.batches import Arrays, Batch, Calendar, Found, in_zone, is_within, stays
from detection.rules.judging import STATE_BYTES, lasting_since
from detection.rules.looking import looking
from detection.rules.looks import Look, blank
from detection.rules.readings import Flags, Rows, Times, Values
from detection.rules.roster import Roster
from detection.rules.touched import Touched
from telemetry.rules.rule import VersionedRule

SEEN_BYTES = 16
"""Of each series: how many readings were seen, and when the first one was."""
HEAD_BYTES = STATE_BYTES + SEEN_BYTES
_UNSEEN, _OUTSIDE = -1, -2
NUMBERS, VERSIONS = np.int32, np.uint16
AT_ONCE = 20_000
"""Series whose stored baselines are in memory together."""


class SeriesWatch:
    """One rule at work on the series of its metric; `state_bytes` of each are remembered."""

    def __init__(
        self, kept: VersionedRule, roster: Roster, baselines: Baselines | None = None
    ) -> None:
        self.kept = kept
        self._roster = roster
        self._baselines = baselines
        self._looking = looking(kept.rule)
        self.state_bytes = HEAD_BYTES + self._looking.state_bytes
        self._calendar = Calendar(kept.rule)
        self._learns = kept.rule.learns
        self._states: Bytes = np.zeros((0, self.state_bytes), np.uint8)
        self._owners = np.zeros(0, NUMBERS)
        """Number in the roster of each row of the states."""
        self._rows = np.zeros(0, NUMBERS)
        """Row of each series of the roster, or why it has none."""
        self._asked = np.zeros(0, VERSIONS)
        self._taught = np.zeros(0, VERSIONS)
        """Of each row, the version of stored baselines asked for, and taken up, plus 1; 0: none."""
        self._touched = Touched()

    def take(self, batch: Batch) -> list[Found]:
        """Look at a batch, and remember it."""
        self._meet()
        fits = (self._rows[batch.numbers] != _OUTSIDE) & batch.has_number
        cells = np.flatnonzero(fits)
        found: list[Found] = []
        is_here = in_zone(self.kept.rule, batch.readings)
        for here, some in stays(batch.numbers[cells], is_here, cells):
            found += self._judged(batch, some) if here else self._gone(batch, some)
        return found

    def _gone(self, batch: Batch, cells: Rows) -> list[Found]:
        """End alarms of series that speak from another zone now."""
        known = cells[self._rows[batch.numbers[cells]] >= 0]
        rows = self._rows[batch.numbers[known]].astype(np.intp)
        found = gone_elsewhere(self.kept, self._states, rows, known, batch.readings)
        self._touched.add(rows)
        return found

    def _judged(self, batch: Batch, cells: Rows) -> list[Found]:
        if not len(cells):
            return []
        rows = self._rows_of(batch.numbers[cells])
        self._touched.add(rows)
        readings = batch.readings.where(cells)
        self._teach(rows)
        look, is_own = self._look(rows, readings.values, readings.times)
        judges = self._calendar.judges(readings.times, readings.delays)
        some = np.flatnonzero(look.usable & judges)
        judged = Judged(rows[some], readings.times[some], cells[some], look.where(some))
        found = alarms(self.kept, self._looking.limits, judged, self._states, batch.readings.source)
        taught_by = np.where(is_own, -1, self._taught[rows].astype(np.intp) - 1)
        places = np.searchsorted(cells, [each.cell for each in found]).tolist()
        return [
            each._replace(taught_by=int(taught_by[place]), reading=float(readings.values[place]))
            for each, place in zip(found, places, strict=True)
        ]

    def _teach(self, rows: Rows) -> None:
        """Let series that have not learnt enough take up the newest stored baseline."""
        version = self._baselines.version() if self._baselines and self._looking.seed else None
        if version is None:
            return
        new = np.unique(rows[self._asked[rows] <= version])
        self._asked[new] = version + 1
        seen = self._states[new, STATE_BYTES:HEAD_BYTES].view(np.int64)
        lasted = self._roster.newest[self._owners[new]] - seen[:, 1]
        learns = self._learns
        is_learnt = (seen[:, 0] >= learns.readings) & (lasted >= learns.span_us)
        self._take_up(new[~is_learnt], version)

    def _take_up(self, rows: Rows, version: int) -> None:
        assert self._baselines is not None
        assert self._looking.seed is not None
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            series = [self._roster.sources[owner].series for owner in self._owners[some].tolist()]
            stored = self._baselines.weeks(series, version)
            known = np.flatnonzero(np.isfinite(stored.medians).any(axis=1))
            states = self._states[some[known]]
            self._looking.seed(states[:, HEAD_BYTES:], stored.where(known))
            self._states[some[known]] = states
            self._taught[some[known]] = version + 1

    def _meet(self) -> None:
        """Find out of each new series whether the rule watches it."""
        rule = self.kept.rule
        fits = [
            _UNSEEN if one.series.metric == rule.metrics[0] and is_within(rule, one) else _OUTSIDE
            for one in self._roster.sources[len(self._rows) :]
        ]
        self._rows = np.concatenate([self._rows, np.array(fits, NUMBERS)])

    def _rows_of(self, numbers: Rows) -> Rows:
        """Return the row of each reading's series; a new series gets a row of zeros."""
        new = np.unique(numbers[self._rows[numbers] == _UNSEEN])
        self._rows[new] = len(self._owners) + np.arange(len(new))
        self._owners = np.concatenate([self._owners, new.astype(NUMBERS)])
        self._hold()
        return self._rows[numbers].astype(np.intp)

    def _hold(self) -> None:
        missing = len(self._owners) - len(self._states)
        if missing > 0:
            more = np.zeros((max(missing, len(self._states)), self.state_bytes), np.uint8)
            self._states = np.concatenate([self._states, more])
            none = np.zeros(len(more), VERSIONS)
            self._asked = np.concatenate([self._asked, none])
            self._taught = np.concatenate([self._taught, none])

    def _look(self, rows: Rows, values: Values, times: Times) -> tuple[Look, Flags]:
        """Return the look at each reading, and whether its series has learnt enough by itself.

        Usable are those of a series that has, or that was taught.
        """
        seen, is_own = blank(len(rows)), np.empty(len(rows), np.bool_)
        for series, cells in blocks(rows):
            states, at = self._states[series], times[cells]
            look = self._looking.step(values[cells], at, states[:, HEAD_BYTES:])
            is_own[cells] = learnt = self._has_learnt(at, states)
            learnt = learnt | (self._taught[series] > 0)[:, None]
            for whole, part in zip(seen, look._replace(usable=look.usable & learnt), strict=True):
                whole[cells] = part
            self._states[series] = states
        return seen, is_own

    def _has_learnt(self, times: Times, states: Bytes) -> Flags:
        seen = states[:, STATE_BYTES:HEAD_BYTES].view(np.int64)
        before = seen[:, :1] + np.arange(times.shape[1])
        first = np.where(seen[:, :1] == 0, times[:, :1], seen[:, 1:])
        seen[:, :1] += times.shape[1]
        seen[:, 1:] = first
        learns = self._learns
        return np.asarray((before >= learns.readings) & (times - first >= learns.span_us))

    def tick(self, _until: int, *, is_history: bool) -> list[Found]:
        """Find nothing: readings alone are judged."""
        return []

    def lasting(self) -> list[Found]:
        """Return the alarms that last."""
        since = lasting_since(self._states[: len(self._owners)])
        return [
            Found(self.kept, self._roster.sources[self._owners[row]], self.kept.rule.metrics[0],
                  "firing", int(since[row]), -1, since=int(since[row]))
            for row in np.flatnonzero(since >= 0).tolist()
        ]  # fmt: skip

    def end(self, now: int) -> list[Found]:
        """Say that every alarm is over, since the rule judges no more."""
        found = [each._replace(state="resolved", time=now) for each in self.lasting()]
        self._states[lasting_since(self._states) >= 0, :STATE_BYTES] = 0
        return found

    def state(self) -> Arrays:
        """Return what is remembered."""
        return self._of(slice(len(self._owners)))

    def changes(self) -> Arrays:
        """Return what is remembered of the rows that changed since this was asked last."""
        rows = self._touched.take()
        return {"rows": rows, **self._of(rows)}

    def _of(self, rows: Rows | slice) -> Arrays:
        return {
            "states": self._states[rows],
            "owners": self._owners[rows],
            "asked": self._asked[rows],
            "taught": self._taught[rows],
        }

    def load(self, state: Arrays) -> None:
        """Take up what was remembered; series that the rule does not watch any more are left."""
        self._states = state["states"].astype(np.uint8)
        self._owners = state["owners"].astype(NUMBERS)
        self._asked, self._taught = (state[name].astype(VERSIONS) for name in ("asked", "taught"))
        self._rows = np.zeros(0, NUMBERS)
        self._meet()
        self._rows[self._owners] = np.arange(len(self._owners))

    def apply(self, changes: Arrays) -> None:
        """Take up what changed; new rows follow those that are there."""
        self._meet()
        rows, owners = (changes[name].astype(NUMBERS) for name in ("rows", "owners"))
        new = rows >= len(self._owners)
        self._owners = np.concatenate([self._owners, owners[new]])
        self._hold()
        self._rows[owners] = rows
        self._states[rows] = changes["states"]
        self._asked[rows], self._taught[rows] = changes["asked"], changes["taught"]
