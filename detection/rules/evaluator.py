"""All rules over all readings: batches in, alerts out; what is remembered can be saved."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from detection.models.answering import Answers
from detection.rules.baselines import Baselines
from detection.rules.batches import Arrays, Batch, Found, Watch, is_within
from detection.rules.hours import Hours
from detection.rules.older_state import hours_of, state_of
from detection.rules.packing import of_place, packed, prefixed, unpacked
from detection.rules.readings import Flags, Readings, fields_of, source_of
from detection.rules.roster import Roster
from detection.rules.rows_watch import RowsWatch
from detection.rules.series_watch import SeriesWatch
from detection.rules.silence_watch import SilenceWatch
from detection.rules.telling import alert_of, still
from detection.tables import MOST
from telemetry.alerts import Alert
from telemetry.errors import HeadwaterError
from telemetry.rules.checks import Model, NoData, Several
from telemetry.rules.form import versioned_from_dict, versioned_to_dict
from telemetry.rules.rule import Rule, VersionedRule

AT_ONCE = 50_000
"""Readings looked at together; what is found does not depend on it."""
RuleKey = tuple[str, str]


class Outcome(NamedTuple):
    """What a batch has brought: what was found, with the alert that tells it."""

    found: Found
    alert: Alert


class Evaluator:
    """Rules that are on, at work; one process holds each device in one evaluator."""

    def __init__(self, predicts: Answers | None = None, baselines: Baselines | None = None) -> None:
        self._predicts = predicts
        self._baselines = baselines
        self.roster = Roster()
        """Every series seen."""
        self._hours = Hours()
        self._watches: dict[RuleKey, Watch] = {}
        self.refused: dict[RuleKey, str] = {}
        """Rules that cannot be put to work here, and why."""
        self._is_whole_due = True
        """Whether what was saved last, and changes on top of it, would not be what is here."""

    @property
    def rules(self) -> list[VersionedRule]:
        """The rules at work."""
        return [watch.kept for watch in self._watches.values()]

    def put(self, rules: Iterable[VersionedRule], now: int) -> list[Outcome]:
        """Put rules to work in the place of those before; those that are off do not.

        A rule whose check, metrics, scope and time zone are as they were goes on with what it
        remembers. Alarms of others that are gone or changed are over. `now` in microseconds since
        1970.
        """
        wanted = {(one.rule.tenant, one.rule.name): one for one in rules if one.is_on}
        over: list[Found] = []
        watches: dict[RuleKey, Watch] = {}
        kept = dict(self._watches)
        self.refused = {}
        for key in sorted(wanted):
            before = self._watches.get(key)
            try:
                watches[key], ended = self._succeeding(before, wanted[key], now)
            except HeadwaterError as error:
                self.refused[key] = str(error)
                continue
            self._watches.pop(key, None)
            over += ended
        for gone in self._watches.values():
            over += gone.end(now)
        self._is_whole_due |= watches != kept
        self._watches = watches
        return [Outcome(found, alert_of(found, now)) for found in over]

    def _succeeding(
        self, before: Watch | None, kept: VersionedRule, now: int
    ) -> tuple[Watch, list[Found]]:
        if before is not None and before.kept == kept:
            return before, []
        watch = self._watch(kept)
        if before is None:
            return watch, []
        if _memory(before.kept) == _memory(kept):
            watch.load(before.state())
            return watch, []
        return watch, before.end(now)

    def _watch(self, kept: VersionedRule) -> Watch:
        check = kept.rule.check
        if isinstance(check, NoData):
            return SilenceWatch(kept, self.roster)
        if isinstance(check, Several):
            return RowsWatch(kept, self.roster)
        if isinstance(check, Model):
            if self._predicts is None:
                raise HeadwaterError(f"rule {kept.rule.name}: no models are at hand here")
            model = self._predicts(check.model, check.version)
            # A model of other metrics is to be refused here, and not by a batch.
            nothing, nobody = np.zeros((1, model.numbers)), np.zeros(1, np.intp)
            model.answer(np.zeros((1, len(kept.rule.metrics))), nobody, nothing)
            return RowsWatch(kept, self.roster, model)
        return SeriesWatch(kept, self.roster, self._baselines)

    def take(self, readings: Readings, detected_at: int) -> list[Outcome]:
        """Look at readings in the order of their arrival; microseconds since 1970.

        A reading older than one of its series that came before is left out.
        """
        outcomes: list[Outcome] = []
        for start, end in _pieces(readings):
            piece = readings.where(np.arange(start, end))
            outcomes += self._take(piece, detected_at)
        return outcomes

    def _take(self, readings: Readings, detected_at: int) -> list[Outcome]:
        readings = readings.where(self._watched(readings))
        numbers = self.roster.number(readings)
        kept = self.roster.in_order(numbers, readings)
        readings, numbers = readings.where(kept), numbers[kept]
        has_number = np.abs(readings.values) <= MOST
        readings.values[~has_number] = np.nan
        batch = Batch(readings, numbers, has_number)
        found = [each for watch in self._watches.values() for each in watch.take(batch)]
        found.sort(key=lambda each: each.cell)
        outcomes = [
            Outcome(each, alert_of(each, detected_at, self._evidence(each, batch)))
            for each in found
        ]
        some = np.flatnonzero(has_number)
        self._hours.take(numbers[some], readings.values[some], readings.times[some])
        return outcomes

    def _watched(self, readings: Readings) -> Flags:
        """Say which readings some rule looks at; of others nothing is remembered."""
        rules = [watch.kept.rule for watch in self._watches.values()]
        # Silence is broken by any metric.
        silences = [rule for rule in rules if isinstance(rule.check, NoData)]
        by_metric: dict[str, list[Rule]] = {}
        for rule in rules:
            for metric in rule.metrics:
                by_metric.setdefault(metric, list(silences)).append(rule)
        wanted = [
            any(is_within(rule, one) for rule in by_metric.get(one.series.metric, silences))
            for one in readings.sources
        ]
        return np.asarray(np.array(wanted, np.bool_)[readings.of])

    def _evidence(self, found: Found, batch: Batch) -> tuple[tuple[int, float], ...]:
        # What ends a silence is no evidence of it, and may have no number.
        is_silence = isinstance(found.kept.rule.check, NoData)
        if found.cell < 0 or found.state == "resolved" or is_silence:
            return ()
        row = int(batch.numbers[found.cell])
        end = found.cell + 1
        mine = np.flatnonzero((batch.numbers[:end] == row) & batch.has_number[:end])
        return self._hours.evidence(row, batch.readings.values[mine], batch.readings.times[mine])

    def tick(self, until: int, detected_at: int | None = None) -> list[Outcome]:
        """Find what the passing of time alone makes an alarm; microseconds since 1970.

        All that had come by `until` was looked at. Without `detected_at` it is history, of which
        nothing more comes.
        """
        is_history = detected_at is None
        found = [
            each
            for watch in self._watches.values()
            for each in watch.tick(until, is_history=is_history)
        ]
        found.sort(key=lambda each: (each.time, each.source.series))
        at = until if detected_at is None else detected_at
        return [Outcome(each, alert_of(each, at)) for each in found]

    def lasting(self, now: int) -> list[Alert]:
        """Return the alerts of alarms that last, under the ids that they were told by."""
        watches = self._watches.values()
        return [still(found, now) for watch in watches for found in watch.lasting()]

    def save(self) -> bytes:
        """Return all that is remembered, the rules included."""
        self._changed()
        arrays: Arrays = {
            "hours": self._hours.first(len(self.roster)),
            "newest": self.roster.newest,
        }
        for place, watch in enumerate(self._watches.values()):
            arrays |= prefixed(place, watch.state())
        self._is_whole_due = False
        rules = [versioned_to_dict(watch.kept) for watch in self._watches.values()]
        sources = [fields_of(source) for source in self.roster.sources]
        return packed({"rules": rules, "sources": sources}, arrays)

    def changes(self) -> bytes | None:
        """Return what has changed since it was saved, or since the last changes, for `apply`.

        None: it cannot be told as changes, so all is to be saved. Its size and its cost follow the
        series that spoke.
        """
        return None if self._is_whole_due else packed(*self._changed())

    def _changed(self) -> tuple[dict[str, object], Arrays]:
        """Return what changed as what is said of it, and arrays; from now on nothing has."""
        numbers, sources = self.roster.changes()
        arrays: Arrays = {
            "numbers": numbers,
            "newest": self.roster.newest[numbers],
            "hours": self._hours.of(numbers),
        }
        for place, watch in enumerate(self._watches.values()):
            arrays |= prefixed(place, watch.changes())
        said = {number: fields_of(self.roster.sources[number]) for number in sources}
        return {"rules": list(self._watches), "sources": list(said.items())}, arrays

    def load(self, content: bytes) -> None:
        """Go on from what was saved; raise `HeadwaterError` for what is none of ours."""
        said, arrays = unpacked(content)
        self.roster = Roster([source_of(one) for one in said["sources"]], arrays["newest"])
        self._hours = Hours(hours_of(said["format"], arrays["hours"]))
        self._watches, self._is_whole_due = {}, False
        for place, declared in enumerate(said["rules"]):
            kept = versioned_from_dict(declared)
            key = (kept.rule.tenant, kept.rule.name)
            try:
                watch = self._watches[key] = self._watch(kept)
            except HeadwaterError as error:
                self.refused[key], self._is_whole_due = str(error), True
                continue
            watch.load(state_of(said["format"], kept.rule, of_place(place, arrays)))

    def apply(self, changes: bytes) -> None:
        """Go on from what has changed since; raise `HeadwaterError` for what is none of ours."""
        said, arrays = unpacked(changes)
        sources = {number: source_of(fields) for number, fields in said["sources"]}
        self.roster.apply(arrays["numbers"], sources, arrays["newest"])
        self._hours.put(arrays["numbers"], hours_of(said["format"], arrays["hours"]))
        for place, (tenant, name) in enumerate(said["rules"]):
            # Of one that could not be put to work again there is nothing to go on with.
            if watch := self._watches.get((tenant, name)):
                state = of_place(place, arrays)
                watch.apply(state_of(said["format"], watch.kept.rule, state))


_SHAPING = (
    "readings", "smoothing", "slots", "against", "detector", "by", "rows", "model", "version",
)  # fmt: skip


def _memory(kept: VersionedRule) -> tuple[object, ...]:
    """Return what a rule's memory depends on; its bounds and persistence are none of it."""
    rule, check = kept.rule, kept.rule.check
    shape = [getattr(check, name, None) for name in _SHAPING]
    return type(check), *shape, rule.metrics, rule.scope, rule.timezone


def _pieces(readings: Readings) -> Sequence[tuple[int, int]]:
    """Cut between messages, so that a message's metrics stay together."""
    count = len(readings)
    cuts, start = [], 0
    while count - start > AT_ONCE:
        end = start + AT_ONCE
        while end < count and readings.messages[end] == readings.messages[end - 1]:
            end += 1
        cuts.append((start, end))
        start = end
    return [*cuts, (start, count)]
