"""Builders of readings and rules for tests of the evaluator."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from detection.rules.evaluator import Evaluator, Outcome
from detection.rules.readings import Readings, Series, Source
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule

MONDAY_US = 1_767_571_200_000_000
"""Monday 5 January 2026, midnight UTC."""
MINUTE_US = 60_000_000
Row = tuple[str, str, int, float]
"""Device, metric, time in microseconds, value."""


def rule(check: Mapping[str, object], version: int = 1, **more: object) -> VersionedRule:
    """Return a rule over metric m that learns nothing unless it is said."""
    defaults = {"rule": "r", "metric": "m", "learning": {"readings": 0}}
    if check["kind"] in ("no_data", "several", "model"):
        del defaults["learning"]
    if "metrics" in more or more.get("metric", "m") is None:
        del defaults["metric"]
        more = {name: value for name, value in more.items() if value is not None}
    declared = {**defaults, "check": check, **more}
    return VersionedRule(rule_from_dict(declared), version, is_on=True)


def source_of_row(row: Row, zone: str | None, customer: str | None) -> Source:
    """Return a row's source, of tenant default."""
    product = row[0].partition(".")[0] if "." in row[0] else "default"
    return Source(Series("default", row[0], row[1]), product, zone, customer)


def readings(
    rows: Sequence[Row],
    *,
    zones: Mapping[str, str] | None = None,
    delays: Sequence[int] | None = None,
    first_message: int = 0,
) -> Readings:
    """Return rows as columns; neighbours of one device and time are one message."""
    zones = zones or {}
    sources: dict[Source, int] = {}
    of = [
        sources.setdefault(source_of_row(row, zones.get(row[0]), "c1"), len(sources))
        for row in rows
    ]
    messages = [0, *itertools.accumulate(int(a[::2] != b[::2] or a[0] != b[0])
                                         for a, b in itertools.pairwise(rows))]  # fmt: skip
    return Readings(
        list(sources),
        np.array(of, np.intp),
        np.array([row[2] for row in rows], np.int64),
        np.array(delays if delays is not None else [0] * len(rows), np.int64),
        np.array([row[3] for row in rows], np.float64),
        np.array(messages[: len(rows)], np.int64) + first_message,
    )


def evaluator(*rules: VersionedRule) -> Evaluator:
    """Return an evaluator of some rules."""
    found = Evaluator()
    assert found.put(rules, 0) == []
    return found


def told(outcomes: Iterable[Outcome]) -> list[tuple[str, str, int]]:
    """Return device, state and time of what was found."""
    return [
        (each.found.source.series.device, each.found.state, each.found.time) for each in outcomes
    ]


def taken(judging: Evaluator, rows: list[Row], cuts: list[int], restarts: bool) -> list[Outcome]:
    """Take rows in pieces, each by an evaluator of its own if it restarts."""
    outcomes: list[Outcome] = []
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in itertools.pairwise(edges):
        outcomes += judging.take(readings(rows[start:end]), 5)
        if restarts:
            saved = judging.save()
            judging = Evaluator()
            judging.load(saved)
    return outcomes
