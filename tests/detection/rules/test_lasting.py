"""Alarms that last are told again as the alerts that they were, whatever has been since."""

import pytest

from detection.rules.evaluator import Evaluator
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import MINUTE_US, MONDAY_US, Row, evaluator, readings, rule

DAY_US = 24 * 60 * MINUTE_US
RULES = [
    rule({"kind": "threshold", "bound": 3.0}, 1),
    rule({"kind": "range", "low": 0, "high": 3.0}, 4, persistence={"k": 2, "n": 3}),
    rule({"kind": "no_data", "lasts": "10 min"}, 2, metric=None),
]


@pytest.mark.parametrize("kept", RULES, ids=lambda kept: type(kept.rule.check).__name__)
def test_an_alarm_that_lasts_has_the_id_that_it_was_told_by(kept: VersionedRule) -> None:
    values = [1.0, 1.1] * 10 + [9.0] * 3
    rows: list[Row] = [
        ("d", "m", MONDAY_US + place * MINUTE_US, value) for place, value in enumerate(values)
    ]
    judging = evaluator(kept)
    assert judging.lasting(MONDAY_US) == []
    told = [*judging.take(readings(rows), 5), *judging.tick(rows[-1][2] + 11 * MINUTE_US, 5)]
    content = judging.save()
    judging = Evaluator()
    judging.load(content)

    lasting = judging.lasting(rows[-1][2] + 3 * DAY_US)

    assert [one.id for one in lasting] == [each.alert.id for each in told if each.alert]
    assert [one.state for one in lasting] == ["firing"]
    assert lasting[0].event_time == told[0].alert.event_time
    assert "has lasted for 7" in lasting[0].text
    over = judging.put([], rows[-1][2])
    assert [each.alert.state for each in over] == ["resolved"]
    assert judging.lasting(rows[-1][2]) == []
