"""Silence against a model that looks at every minute; and whether a device is connected."""

import itertools
from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.rules.evaluator import Evaluator
from telemetry.rules.rule import Rule
from telemetry.rules.words import span_us
from tests.detection.rules.building import (
    MINUTE_US,
    MONDAY_US,
    Row,
    evaluator,
    readings,
    rule,
    told,
)

Event = tuple[str, int]
"""State, and time in microseconds."""
SILENT = {"kind": "no_data", "lasts": "10 min"}
WEEK = 7 * 24 * 60
FOREVER = MONDAY_US + 400 * 24 * 60 * MINUTE_US
LEARNT = st.fixed_dictionaries({}, optional={
    "connected_within": st.sampled_from(["3 min", "10 min", "20 min", "2 h"]),
    "schedule": st.sampled_from([{"from": "00:20", "to": "01:10"}, {"days": ["mon", "wed"]}]),
})  # fmt: skip
steps = st.sampled_from([-3, 0, 0, 1, 2, 5, 9, 10, 11, 14, 40, 24 * 60])
said = st.lists(st.tuples(st.sampled_from("mmxy"), steps), min_size=1, max_size=40)


def minutes(rule: Rule, spoken: list[tuple[str, int]], until: int) -> Iterator[Event]:
    """Yield what a rule of silence finds, minute by minute: readings are metric and minute."""
    lasts = span_us("lasts", SILENT["lasts"]) // MINUTE_US
    asked = rule.connected_within
    within = None if asked is None else span_us("connected_within", asked) // MINUTE_US
    newest: dict[str, int] = {}
    heard = since = None
    clock = 0
    for metric, minute in [*spoken, ("end", until)]:
        if minute < newest.get(metric, minute):
            continue
        newest[metric] = minute
        if within is None and metric in "xy":
            # It waits for its metric alone: what else is said tells it nothing.
            continue
        for now in range(clock, minute):
            fresh = within is None or now - clock <= within
            is_due = since is None and heard is not None and now - heard >= lasts and fresh
            if is_due and _is_scheduled(rule, now):
                since = now
                yield "firing", MONDAY_US + now * MINUTE_US
        clock = max(clock, minute)
        if metric == "m" and (heard is None or minute > heard):
            if since is not None:
                yield "resolved", MONDAY_US + max(minute, since) * MINUTE_US
            heard, since = minute, None


def _is_scheduled(rule: Rule, minute: int) -> bool:
    return rule.schedule is None or rule.schedule.holds(minute // 1440 % 7, minute % 1440)


def spoken_by(
    device: str, spoken: list[tuple[str, int]]
) -> tuple[list[tuple[str, int]], list[Row]]:
    """Return metric and minute of each reading, and the readings."""
    at = np.maximum(np.cumsum([step for _, step in spoken]), 0).tolist()
    pairs = [(metric, minute) for (metric, _), minute in zip(spoken, at, strict=True)]
    return pairs, [
        (device, metric, MONDAY_US + minute * MINUTE_US, 1.0) for metric, minute in pairs
    ]


@settings(max_examples=25, deadline=None)
@given(LEARNT, st.lists(said, min_size=1, max_size=2),
       st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=8))  # fmt: skip
def test_silence_is_the_devices_own_however_it_is_looked_for(
    more: dict[str, object], fleet: list[list[tuple[str, int]]], cuts: list[tuple[int, bool]]
) -> None:
    silent = rule(SILENT, 1, **more)
    spoken = [spoken_by(f"d{place}", each) for place, each in enumerate(fleet)]
    rows = [row for turn in itertools.zip_longest(*(rows for _, rows in spoken))
            for row in turn if row is not None]  # fmt: skip
    expected = [
        (f"d{place}", *event)
        for place, (pairs, _) in enumerate(spoken)
        for event in minutes(silent.rule, pairs, pairs[-1][1] + WEEK)
    ]

    whole = evaluator(silent)
    at_once = [*whole.take(readings(rows), 5), *whole.tick(FOREVER)]
    judging, parts = evaluator(silent), []
    edges = [(0, False), *sorted((min(cut, len(rows)), ticks) for cut, ticks in cuts)]
    for (start, ticks), (stop, _) in itertools.pairwise([*edges, (len(rows), False)]):
        if ticks and start < len(rows):
            # The clock of a stream that has seen all that was said so far.
            parts += judging.tick(min(row[2] for row in rows[start:]))
        parts += judging.take(readings(rows[start:stop]), 5)
        saved = judging.save()
        judging = Evaluator()
        judging.load(saved)
    parts += judging.tick(FOREVER)

    assert sorted(told(at_once)) == sorted(told(parts)) == sorted(expected)
    assert {one.alert.id for one in at_once} == {one.alert.id for one in parts}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1.0, 9.0]), st.integers(0, 20)), min_size=1, max_size=30),
    st.lists(st.integers(0, 30), max_size=5),
)
def test_backlogs_are_as_if_they_had_not_come_for_any_batching(
    drawn: list[tuple[float, int]], cuts: list[int]
) -> None:
    check = {"kind": "threshold", "bound": 3.0}
    persistence = {"k": 2, "n": 3}
    rows: list[Row] = [
        ("d", "m", MONDAY_US + minute * MINUTE_US, value) for minute, (value, _) in enumerate(drawn)
    ]
    delays = [delay * MINUTE_US for _, delay in drawn]
    in_time = [row for row, delay in zip(rows, delays, strict=True) if delay <= 10 * MINUTE_US]

    judging = evaluator(rule(check, 1, persistence=persistence, connected_within="10 min"))
    found = []
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, stop in itertools.pairwise(edges):
        found += judging.take(readings(rows[start:stop], delays=delays[start:stop]), 5)

    plain = evaluator(rule(check, 1, persistence=persistence)).take(readings(in_time), 5)
    assert told(found) == told(plain)


def test_a_device_whose_words_still_come_is_not_silent_whenever_they_are_of() -> None:
    times = [MONDAY_US + minute * MINUTE_US for minute in range(40)]
    came = MONDAY_US + 90 * MINUTE_US
    rows: list[Row] = [("d", "m", time, 1.0) for time in times]
    judging = evaluator(rule(SILENT, 1, metric=None))

    judging.take(readings(rows[:20], delays=[came - time for time in times[:20]]), 0)
    early = judging.tick(came + 9 * MINUTE_US, 0)
    content = judging.save()
    judging = Evaluator()
    judging.load(content)
    still = judging.tick(came + 9 * MINUTE_US, 0)
    over = judging.tick(came + 10 * MINUTE_US + 1, 0)

    assert early == still == []
    assert told(over) == [("d", "firing", times[19] + 10 * MINUTE_US)]
