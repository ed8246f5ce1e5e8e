"""What an alert was held against is kept, answered and told; the fuller copy of a record wins."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.alerts.evidence import last_hour
from services.alerts.life import micros
from services.alerts.messages import content, text
from services.alerts.rows import told_life
from telemetry.alerts import Alert
from telemetry.alerts_history import AlertLife
from tests.services.alert_parts import NOON, alert, at, life
from tests.services.alerts_http import Tested, over_database

EVIDENCE = tuple((micros(at(15 * n - 3600)), float(n % 7)) for n in range(240))
KEY = "0" * 32


@pytest.fixture(params=["sqlite", "postgresql"])
def tested(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tested]:
    yield from over_database(request, tmp_path)


def scored(**changes: object) -> Alert:
    """Return an alert as scoring tells it."""
    known: dict[str, Any] = {
        "customer": "c7",
        "score": 0.8,
        "baseline": 3.5,
        "deviation": 6.5,
        "value": 10.0,
    }
    return alert(severity="critical", **{**known, "evidence": EVIDENCE, **changes})


def shown(tested: Tested) -> Any:
    (one,) = tested.desk.lives()
    return tested.json("GET", f"/v1/alerts/{one.alert_id}")


def test_an_alert_is_shown_with_what_it_was_held_against(tested: Tested) -> None:
    tested.desk.take(scored(baseline_version="2026-11-20"))

    found = shown(tested)

    assert found["customer"] == "c7"
    assert (found["score"], found["baseline"], found["deviation"]) == (0.8, 3.5, 6.5)
    assert found["baseline_version"] == "2026-11-20"
    assert found["detected_at"] == "2026-11-21T12:00:00Z"
    assert len(found["evidence"]) == 240
    assert found["evidence"][0] == {"at": "2026-11-21T11:00:00Z", "value": 0.0}


def test_a_message_tells_customer_baseline_and_the_last_hour_in_short(tested: Tested) -> None:
    tested.desk.take(scored())
    tested.desk.deliver()

    told: Any = tested.desk.got("hub")[0].content
    (one,) = told["alerts"]

    assert (one["customer"], one["baseline"]) == ("c7", 3.5)
    hour = one["last_hour"]
    assert (hour["count"], hour["min"], hour["max"]) == (240, 0.0, 6.0)
    assert [value for _, value in hour["last"]] == [value for _, value in EVIDENCE[-5:]]
    assert hour["last"][-1][0] == "2026-11-21T11:59:45+00:00"
    said = text(told, KEY).splitlines()
    assert "customer: c7" in said
    assert "usual: 3.5" in said
    assert "last hour: 240 values, 0 to 6; the last 4, 5, 6, 0, 1" in said


def test_a_message_that_waited_tells_what_is_stored(tested: Tested) -> None:
    tested.desk.take(replace(scored(), severity="warning"))
    tested.desk.time = at(31)
    tested.desk.engine.tick()
    tested.desk.deliver()

    told: Any = tested.desk.got("hub")[0].content
    assert told["alerts"][0]["last_hour"]["count"] == 240


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_scoring_fills_in_what_the_fast_lane_left_out(tested: Tested, is_one_batch: bool) -> None:
    first = scored(evidence=(), baseline=None, deviation=None, score=None)
    batches = [[first, scored()]] if is_one_batch else [[first], [scored()]]
    for batch in batches:
        tested.desk.take(*batch)

    found = shown(tested)

    assert (found["baseline"], found["score"], len(found["evidence"])) == (3.5, 0.8, 240)
    assert found["records"] == 1


def test_a_poorer_copy_takes_nothing_away(tested: Tested) -> None:
    tested.desk.take(scored())
    tested.desk.take(scored(evidence=(), baseline=9.0))
    tested.desk.take(scored(evidence=EVIDENCE[:3], baseline=9.0))

    found = shown(tested)

    assert (found["baseline"], len(found["evidence"])) == (3.5, 240)


def test_another_alert_of_the_device_fills_in_nothing(tested: Tested) -> None:
    tested.desk.take(alert(severity="critical"))
    tested.desk.take(replace(scored(), id="f" * 32, event_time=micros(at(5))))

    assert shown(tested)["evidence"] == []


def test_values_that_are_none_are_left_out_of_the_short_form() -> None:
    nothing = {"evidence": [[1, None]]}
    gap = {"evidence": [[3, 2.0], [1, 1.0], [2, None]]}

    assert last_hour({}) is None
    assert last_hour(nothing) is None
    short = last_hour(gap)
    assert short
    assert (short["count"], [value for _, value in short["last"]]) == (2, [1.0, 2.0])


def test_what_an_earlier_release_has_queued_is_told() -> None:
    told: Any = content("alerts", [life()], NOON)
    for name in ("customer", "baseline", "last_hour"):
        del told["alerts"][0][name]

    assert "warning: hot" in text(told, KEY)


def test_the_history_tells_whose_it_is() -> None:
    told = told_life(life(customer="c7"))

    assert AlertLife.from_json(told.to_json()).customer == "c7"
    old = told.to_json().replace(b',"customer":"c7"', b"")
    assert AlertLife.from_json(old).customer is None
