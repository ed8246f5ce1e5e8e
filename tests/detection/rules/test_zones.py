"""Rules of one zone, and devices that move: what is elsewhere is not watched."""

import numpy as np
import pytest

from detection.models.answering import Answering
from detection.rules.evaluator import Evaluator, Outcome
from detection.rules.readings import Readings
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import (
    MINUTE_US,
    MONDAY_US,
    Row,
    evaluator,
    readings,
    rule,
    told,
)

NORTH = {"scope": {"zone": "north"}}
HOT = {"kind": "threshold", "bound": 90}
SILENT = {"kind": "no_data", "lasts": "10 min"}


def at(minute: float) -> int:
    return MONDAY_US + round(minute * MINUTE_US)


def said(device: str, minute: float, value: float = 95.0) -> Row:
    return (device, "m", at(minute), value)


def taken(judging: Evaluator, zone: str, *rows: Row) -> list[Outcome]:
    return judging.take(readings(rows, zones={row[0]: zone for row in rows}), 0)


@pytest.mark.parametrize(
    "hot",
    [
        rule(HOT, 1, **NORTH),
        rule({"kind": "range", "low": 0, "high": 90}, 1, persistence={"k": 1, "n": 3}, **NORTH),
    ],
    ids=["threshold", "range"],
)
def test_an_alarm_is_over_once_its_device_stands_in_another_zone(hot: VersionedRule) -> None:
    judging = evaluator(hot)
    assert told(taken(judging, "north", said("d", 0), said("e", 0))) == [
        ("d", "firing", at(0)),
        ("e", "firing", at(0)),
    ]

    moved = taken(judging, "south", said("d", 1), said("d", 2))
    content = judging.save()
    judging = Evaluator()
    judging.load(content)
    later = taken(judging, "south", said("d", 3))
    back = taken(judging, "north", said("d", 4))

    assert told(moved) == [("d", "resolved", at(1))]
    assert "is over after 60 s" in moved[0].alert.text
    assert told(later) == []
    assert told(back) == [("d", "firing", at(4))]


def test_a_device_that_speaks_from_another_zone_is_not_silent_here() -> None:
    judging = evaluator(rule(SILENT, 1, metric=None, **NORTH))
    taken(judging, "north", said("d", 0), said("e", 0), said("f", 0))
    taken(judging, "south", said("d", 5))

    ticked = judging.tick(at(60), 0)
    moved = taken(judging, "south", said("e", 61))
    still = judging.tick(at(600), 0)
    taken(judging, "north", said("d", 601))
    again = judging.tick(at(700), 0)

    assert told(ticked) == [("e", "firing", at(10)), ("f", "firing", at(10))]
    assert told(moved) == [("e", "resolved", at(61))]
    assert told(still) == []
    assert told(again) == [("d", "firing", at(611))]


def test_a_rule_of_silence_that_begins_looks_at_its_own_zone_alone() -> None:
    judging = evaluator(rule(HOT, 1, rule="hot"))
    taken(judging, "south", said("d", 0))
    taken(judging, "north", said("e", 0))

    judging.put([*judging.rules, rule(SILENT, 1, metric=None, rule="silent", **NORTH)], at(1))

    assert told(judging.tick(at(60), 0)) == [("e", "firing", at(10))]


def joined(rows: list[tuple[str, Row]]) -> Readings:
    """Return readings of devices that change their zones among them."""
    each = [
        readings([row], zones={row[0]: zone}, first_message=place)
        for place, (zone, row) in enumerate(rows)
    ]
    columns = (
        np.concatenate([getattr(one, name) for one in each])
        for name in ("times", "delays", "values", "messages")
    )
    return Readings([one.sources[0] for one in each], np.arange(len(each)), *columns)


MOVING = ["north", "north", "south", "north", "south", "south", "north", "north"]
VALUES = [50.0, 95.0, 95.0, 95.0, 50.0, 95.0, 50.0, 95.0]


@pytest.mark.parametrize("kind", ["one metric", "several metrics"])
def test_alarms_of_a_device_that_moves_are_the_same_however_its_words_are_cut(kind: str) -> None:
    hot = rule(HOT, 1, **NORTH)
    if kind == "several metrics":
        check = {"kind": "model", "model": "echo", "version": "0" * 12, "bound": 90}
        hot = rule(check, 1, metrics=["m"], **NORTH)
    rows = [
        (zone, said("d", minute, value))
        for minute, (zone, value) in enumerate(zip(MOVING, VALUES, strict=True))
    ]
    states = (("firing", 1), ("resolved", 2), ("firing", 3), ("resolved", 4), ("firing", 7))
    expected = [("d", state, at(minute)) for state, minute in states]

    for cut in range(1, len(rows)):
        judging = Evaluator(lambda _name, _version: Answering(lambda table, *_: table[:, 0]))
        judging.put([hot], 0)
        found = [*judging.take(joined(rows[:cut]), 0), *judging.take(joined(rows[cut:]), 0)]
        assert told(found) == expected


def test_where_a_device_was_counts_in_the_order_of_its_words_however_they_are_cut() -> None:
    zones = ["north", "north", "south", "south", "north", "south", "north"]
    minutes = [0, 5, 30, 100, 101, 130, 131]
    rows = [(zone, said("d", minute)) for zone, minute in zip(zones, minutes, strict=True)]
    expected = [
        ("d", "firing", at(15)),
        ("d", "resolved", at(30)),
        ("d", "firing", at(111)),
        ("d", "resolved", at(130)),
        ("d", "firing", at(141)),
    ]

    for cut in range(1, len(rows)):
        judging = evaluator(rule(SILENT, 1, metric=None, **NORTH))
        found = [*judging.take(joined(rows[:cut]), 0), *judging.take(joined(rows[cut:]), 0)]
        assert told([*found, *judging.tick(at(1000), 0)]) == expected
