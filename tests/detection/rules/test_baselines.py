"""Stored baselines: a rule that was switched on does not start blind, and says what it leans on."""

from collections.abc import Sequence

import numpy as np
import pytest

from detection.rules.baselines import HOURS, Weeks
from detection.rules.evaluator import Evaluator
from detection.rules.readings import Series
from tests.detection.rules.building import MONDAY_US, Row, readings, rule

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
VERSION = MONDAY_US // DAY_US
SEASONAL = {"kind": "seasonal", "deviations": 4.0, "slots": 168}
LEARNS = {"learning": {"readings": 5, "span": "2 d"}}


class Stored:
    """Baselines of some devices: the hour of the week itself, with one spread."""

    def __init__(self, *devices: str, spread: float = 1.0) -> None:
        self.newest: int | None = VERSION
        self.asked: list[str] = []
        self._devices, self._spread = devices, spread

    def version(self) -> int | None:
        """Return the version that was set."""
        return self.newest

    def weeks(self, series: Sequence[Series], version: int) -> Weeks:
        """Return what is usual."""
        self.asked += [one.device for one in series]
        medians = np.full((len(series), HOURS), np.nan, np.float32)
        for row, one in enumerate(series):
            if one.device in self._devices:
                medians[row] = np.arange(HOURS)
        return Weeks(version, medians, np.where(np.isnan(medians), np.nan, self._spread))


def at_hour(hour: int, value: float, device: str = "d") -> Row:
    """Return a reading within an hour of the first week."""
    return device, "m", MONDAY_US + hour * HOUR_US, value


def judging(stored: Stored, **more: object) -> Evaluator:
    """Return an evaluator with one seasonal rule that learns two days."""
    found = Evaluator(baselines=stored)
    found.put([rule(SEASONAL, 1, **{**LEARNS, **more})], 0)
    return found


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("hour", [0, 5, 23, 100, 167])
def test_the_first_reading_is_held_against_what_is_stored(hour: int, zone: str) -> None:
    outcomes = judging(Stored("d"), timezone=zone).take(readings([at_hour(hour, hour + 9.0)]), 0)

    alert = outcomes[0].alert
    assert (alert.baseline, alert.deviation) == (float(hour), 9.0)
    assert alert.bound == pytest.approx(hour + 4.0, rel=1e-6)
    assert alert.baseline_version == "2026-01-05"
    assert "by the stored baseline of 2026-01-05" in alert.text


def test_what_is_usual_is_no_alarm_and_without_baselines_a_rule_is_blind() -> None:
    assert judging(Stored("d")).take(readings([at_hour(7, 10.9)]), 0) == []
    assert judging(Stored("other")).take(readings([at_hour(7, 99.0)]), 0) == []
    nothing = Stored("d")
    nothing.newest = None
    assert judging(nothing).take(readings([at_hour(7, 99.0)]), 0) == []
    assert nothing.asked == []


def test_a_rule_that_has_learnt_names_no_stored_baseline() -> None:
    judge = judging(Stored("d"))
    honest = [at_hour(hour, float(hour)) for hour in range(60)]
    assert judge.take(readings(honest), 0) == []

    alert = judge.take(readings([at_hour(61, 90.0)]), 0)[0].alert

    assert alert.baseline == 61.0
    assert alert.baseline_version is None
    assert "stored" not in alert.text


def test_series_are_asked_for_once_a_version_and_only_while_they_learn() -> None:
    stored = Stored("d")
    judge = judging(stored)
    for hour in range(3):
        judge.take(readings([at_hour(hour, float(hour)), at_hour(hour, 1.0, "e")]), 0)
    assert stored.asked == ["d", "e"]

    stored.newest = VERSION + 1
    judge.take(readings([at_hour(3, 3.0)]), 0)
    assert stored.asked == ["d", "e", "d"]

    judge.take(readings([at_hour(hour, float(hour)) for hour in range(4, 60)]), 0)
    stored.newest = VERSION + 2
    judge.take(readings([at_hour(60, 60.0)]), 0)
    assert stored.asked == ["d", "e", "d"]


def test_a_baseline_that_comes_later_is_taken_up_and_leaves_what_was_learnt() -> None:
    stored = Stored("d")
    stored.newest = None
    judge = judging(stored)
    judge.take(readings([at_hour(0, 50.0), at_hour(1, 51.0)]), 0)
    stored.newest = VERSION + 7

    own, taught = (
        judge.take(readings([at_hour(hour, value)]), 0)[0].alert
        for hour, value in ((168, 59.0), (168 + 9, 9.0))
    )

    assert (own.state, own.baseline, own.baseline_version) == ("firing", 50.0, "2026-01-12")
    assert (taught.state, taught.baseline) == ("resolved", 9.0)


def test_what_was_taught_survives_a_restart() -> None:
    rows = [at_hour(hour, hour + 0.5) for hour in range(5)]
    one, saved = judging(Stored("d")), judging(Stored("d"))
    one.take(readings(rows), 0)
    saved.take(readings(rows), 0)
    silent = Stored()
    again = Evaluator(baselines=silent)
    again.load(saved.save())

    wrong = [at_hour(9, 99.0)]
    kept, told = one.take(readings(wrong), 0), again.take(readings(wrong), 0)

    assert [each.alert for each in told] == [each.alert for each in kept]
    assert told[0].alert.baseline_version == "2026-01-05"
    assert silent.asked == []


def test_a_ratio_to_the_season_starts_from_what_is_stored() -> None:
    check = {"kind": "ratio", "ratio": 0.5, "against": "season", "slots": 84}
    judge = Evaluator(baselines=Stored("d"))
    judge.put([rule(check, 1, **LEARNS)], 0)

    alert = judge.take(readings([at_hour(100, 40.0)]), 0)[0].alert

    assert alert.baseline == 100.5, "two hours make a slot"
    assert alert.baseline_version == "2026-01-05"
