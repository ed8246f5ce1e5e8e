"""A rule over several metrics: whole messages of a device are scored together, then judged."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from detection.memory import Bytes, Matrix
from detection.models.answering import Answering
from detection.rules.alarms import Judged, alarms, gone_elsewhere
from detection.rules.batches import (
    Arrays,
    Batch,
    Calendar,
    Found,
    in_zone,
    is_within,
    named,
    stays,
)
from detection.rules.judging import STATE_BYTES, lasting_since
from detection.rules.looks import SCORE_LIMITS, Limits, plain
from detection.rules.readings import Flags, Rows, Source, Values, fields_of, source_of
from detection.rules.roster import Roster
from detection.rules.touched import Touched
from telemetry.rules.checks import Model, Several
from telemetry.rules.rule import VersionedRule

if TYPE_CHECKING:
    from detection.rigs import RigDetector

Device = tuple[str, str]


class RowsWatch:
    """One rule at work on devices' whole messages; a message that lacks a metric is left out."""

    def __init__(self, kept: VersionedRule, roster: Roster, model: Answering | None = None) -> None:
        self.kept = kept
        self._roster = roster
        self._model = model
        self._calendar = Calendar(kept.rule)
        self._places = {metric: place for place, metric in enumerate(kept.rule.metrics)}
        self._limits = _limits(kept)
        self._rigs: dict[Device, RigDetector] = {}
        self._rows: dict[Device, int] = {}
        self._states = self._nothing(0)
        self._sources: list[Source] = []
        self._touched = Touched()
        self._told: dict[int, int] = {}
        """Of each row, how far its rig had come when it was told as changes, or saved."""

    def _nothing(self, rows: int) -> Bytes:
        """Return states of rows that have said nothing yet; a model's memory is behind each."""
        return np.zeros((rows, STATE_BYTES + 8 * (self._model.numbers if self._model else 0)),
                        np.uint8)  # fmt: skip

    def take(self, batch: Batch) -> list[Found]:
        """Look at a batch, and remember it."""
        readings, rule = batch.readings, self.kept.rule
        place = np.array(
            [self._places.get(one.series.metric, -1) if is_within(rule, one) else -1
             for one in readings.sources], np.intp)  # fmt: skip
        cells = np.flatnonzero(place[readings.of] >= 0)
        devices: dict[Device, int] = {}
        of = np.array([devices.setdefault(one.series[:2], len(devices))
                       for one in readings.sources], np.intp)  # fmt: skip
        found: list[Found] = []
        for here, some in stays(of[readings.of[cells]], in_zone(rule, readings), cells):
            found += self._judged(batch, some, place) if here else self._gone(batch, some)
        return found

    def _judged(self, batch: Batch, cells: Rows, place: Rows) -> list[Found]:
        readings = batch.readings
        table, firsts = self._table(batch, cells, place)
        if not len(firsts):
            return []
        rows = self._rows_of(batch, firsts)
        self._touched.add(rows)
        scores, usable = self._scores(rows, table)
        times, delays = readings.times[firsts], readings.delays[firsts]
        some = np.flatnonzero(usable & self._calendar.judges(times, delays))
        look = plain(scores[some], np.ones(len(some), np.bool_))
        judged = Judged(rows[some], times[some], firsts[some], look)
        return alarms(self.kept, self._limits, judged, self._states, readings.source)

    def _gone(self, batch: Batch, cells: Rows) -> list[Found]:
        """End alarms of devices that speak from another zone now."""
        sources = map(batch.readings.source, cells.tolist())
        rows = np.array([self._rows.get(one.series[:2], -1) for one in sources], np.intp)
        known = rows >= 0
        self._touched.add(rows[known])
        return gone_elsewhere(self.kept, self._states, rows[known], cells[known], batch.readings)

    def _table(self, batch: Batch, cells: Rows, place: Rows) -> tuple[Matrix, Rows]:
        """Return whole messages as rows of numbers, with the cell of each one's first reading."""
        readings = batch.readings
        _, first, of = np.unique(readings.messages[cells], return_index=True, return_inverse=True)
        table = np.full((len(first), len(self._places)), np.nan)
        table[of, place[readings.of[cells]]] = readings.values[cells]
        whole = np.isfinite(table).all(axis=1)
        order = np.argsort(first[whole], kind="stable")
        return table[whole][order], cells[first[whole][order]]

    def _rows_of(self, batch: Batch, firsts: Rows) -> Rows:
        found = []
        for cell in firsts.tolist():
            source = batch.readings.source(cell)
            row = self._rows.setdefault(source.series[:2], len(self._rows))
            if row == len(self._sources):
                self._sources.append(source)
            self._sources[row] = source
            found.append(row)
        self._hold()
        return np.array(found, np.intp)

    def _hold(self) -> None:
        more = self._nothing(len(self._rows) - len(self._states))
        self._states = np.concatenate([self._states, more])

    def _scores(self, rows: Rows, table: Matrix) -> tuple[Values, Flags]:
        if self._model is not None:
            memories = self._states[:, STATE_BYTES:].view(np.float64)
            return self._model.answer(table, rows, memories), np.ones(len(rows), np.bool_)
        scores, usable = np.zeros(len(rows)), np.zeros(len(rows), np.bool_)
        for row in np.unique(rows).tolist():
            mine = np.flatnonzero(rows == row)
            device = self._sources[row].series[:2]
            if device not in self._rigs:
                self._rigs[device] = self._new_rig()
            rig = self._rigs[device]
            missing = rig.missing
            scores[mine] = np.round(rig.score(table[mine]), 6)
            usable[mine[missing:]] = True
        return scores, usable

    def tick(self, _until: int, *, is_history: bool) -> list[Found]:
        """Find nothing: readings alone are judged."""
        return []

    def lasting(self) -> list[Found]:
        """Return the alarms that last."""
        since, metric = lasting_since(self._states), named(self.kept.rule.metrics)
        return [
            Found(self.kept, self._sources[row], metric, "firing", began, -1, since=began)
            for row, began in enumerate(since.tolist())
            if began >= 0
        ]

    def end(self, now: int) -> list[Found]:
        """Say that every alarm is over, since the rule judges no more."""
        found = [each._replace(state="resolved", time=now) for each in self.lasting()]
        self._states[lasting_since(self._states) >= 0, :STATE_BYTES] = 0
        return found

    def state(self) -> Arrays:
        """Return what is remembered."""
        return {"states": self._states, **self._of(range(len(self._sources)), {})}

    def changes(self) -> Arrays:
        """Return what is remembered of the rows that changed since this was asked last."""
        rows = self._touched.take()
        said = self._of(rows.tolist(), self._told)
        self._told |= {row: rig.told for row in rows.tolist() if (rig := self._rig_of(row))}
        return {"places": rows, "states": self._states[rows], **said}

    def _new_rig(self) -> "RigDetector":
        # Its library takes seconds to import: rules over one metric do without.
        from detection.rigs import RigDetector

        check = self.kept.rule.check
        assert isinstance(check, Several)
        return RigDetector(check.by, check.rows, len(self._places))

    def _rig_of(self, row: int) -> "RigDetector | None":
        return self._rigs.get(self._sources[row].series[:2])

    def _of(self, rows: Sequence[int], told: Mapping[int, int]) -> Arrays:
        """Return rows' sources in JSON, and what their rigs remember, one behind the other."""
        rigs = [
            rig.to_bytes(told.get(row, 0)) if (rig := self._rig_of(row)) else b""
            for row in rows
        ]  # fmt: skip
        sources = orjson.dumps({"sources": [fields_of(self._sources[row]) for row in rows]})
        return {
            "rows": np.frombuffer(sources, np.uint8),
            "rigs": np.frombuffer(b"".join(rigs), np.uint8),
            "ends": np.cumsum([len(each) for each in rigs], dtype=np.int64).astype(np.uint32),
        }

    def load(self, state: Arrays) -> None:
        """Take up what was remembered."""
        self._states = self._nothing(0)
        self._rows, self._sources, self._rigs, self._told = {}, [], {}, {}
        self.apply({**state, "places": np.arange(len(state["states"]))})

    def apply(self, changes: Arrays) -> None:
        """Take up what changed; new rows follow those that are there."""
        said = orjson.loads(changes["rows"].tobytes())
        rows = changes["places"].astype(np.intp)
        for row, fields, kept in zip(rows.tolist(), said["sources"], _rigs_in(changes, said),
                                     strict=True):  # fmt: skip
            source = source_of(fields)
            self._rows.setdefault(source.series[:2], row)
            self._sources[row : row + 1] = [source]
            if kept:
                self._teach(row, source.series[:2], kept)
        self._hold()
        self._states[rows] = changes["states"]

    def _teach(self, row: int, device: Device, said: "bytes | dict[str, object]") -> None:
        rig = self._rigs.setdefault(device, self._new_rig())
        if isinstance(said, bytes):
            rig.take_up(said)
        else:
            rig.take_up_older(said)
        self._told[row] = rig.told


def _rigs_in(
    changes: Arrays, said: Mapping[str, Any]
) -> "Sequence[bytes | dict[str, object] | None]":
    """Return what each row's rig has said: bytes, or the words of formats before."""
    if "ends" not in changes:
        return list(said["rigs"])
    whole, ends = changes["rigs"].tobytes(), changes["ends"].tolist()
    return [whole[start:end] for start, end in itertools.pairwise([0, *ends])]


def _limits(kept: VersionedRule) -> Limits:
    check = kept.rule.check
    if isinstance(check, Model):
        is_high = check.direction == "above"
        return Limits(-np.inf, check.bound) if is_high else Limits(check.bound, np.inf)
    return SCORE_LIMITS
