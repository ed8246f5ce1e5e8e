"""The trail: repeats are one step that counts them, and pages show every step once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.alerts.matching import match_of
from services.alerts.silences import Silence
from services.alerts.trail import alert_trail
from telemetry.alerts import State
from tests.services.alert_parts import HOUR, MINUTE, SECOND, Desk, alert, at
from tests.services.alerts_http import Tested, over_database

ESCALATED = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
route: {to: [hub], escalate: [{after: 15 min, to: [hub]}]}
"""


@pytest.fixture
def tested(tmp_path: Path) -> Tested:
    return Tested(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tested]:
    yield from over_database(request, tmp_path)


def trail(tested: Tested, **asked: str) -> Any:
    alert_id = tested.json("GET", "/v1/alerts")["alerts"][0]["alert_id"]
    return tested.json("GET", f"/v1/alerts/{alert_id}/trail", **asked)


def received(tested: Tested) -> list[Any]:
    return [one["facts"] for one in trail(tested)["steps"] if one["step"] == "received"]


@pytest.mark.parametrize("batch", [1, 7, 1500])
def test_what_repeats_pushes_nothing_out_of_the_trail(either: Tested, batch: int) -> None:
    desk, count = either.desk, 1500 if batch > 1 else 20
    told = [alert("pump.p1", second, value=float(second)) for second in range(count)]
    for begin in range(0, count, batch):
        desk.time = at(begin)
        desk.take(*told[begin : begin + batch])
    desk.turn(MINUTE)

    found = trail(either)

    assert found["truncated"] is False
    steps = [one["step"] for one in found["steps"]]
    assert steps.count("received") == 2
    assert {"routed", "told", "delivery"} <= {*steps}
    opened, run = received(either)
    assert opened["event"] == "opened"
    assert (run["event"], run["count"], run["late"]) == ("repeated", count - 1, 0)
    assert (run["record"], run["value"]) == (told[-1].id, float(count - 1))
    first, last = at(0 if batch > 1 else 1), at((count - 1) // batch * batch)
    assert (run["first"], run["last"]) == (first.isoformat(), last.isoformat())


def test_a_change_ends_a_run(tested: Tested) -> None:
    states: list[State] = ["firing", "firing", "firing", "resolved", "firing", "firing", "firing"]
    for second, state in enumerate(states):
        tested.desk.take(alert("pump.p1", second, state=state))
    tested.desk.take(alert("pump.p1", 2.5), alert("pump.p1", 7, severity="critical"))
    tested.desk.take(alert("pump.p1", 8, severity="critical"))

    found = [(one["event"], one.get("count"), one.get("late")) for one in received(tested)]

    assert found == [
        ("opened", None, None),
        ("repeated", 2, 0),
        ("resolved", None, None),
        ("reopened", None, None),
        ("repeated", 3, 1),
        ("escalated", None, None),
        ("repeated", 1, 0),
    ]


def test_the_runs_of_two_alerts_do_not_meet(tested: Tested) -> None:
    for second in range(4):
        tested.desk.take(alert("pump.p1", second), alert("pump.p2", second))

    for one in tested.json("GET", "/v1/alerts")["alerts"]:
        steps = tested.json("GET", f"/v1/alerts/{one['alert_id']}/trail")["steps"]
        facts = [step["facts"] for step in steps if step["step"] == "received"]
        assert [each.get("count") for each in facts] == [None, 3]


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_pages_of_a_trail_show_every_step_once(tested: Tested, limit: int) -> None:
    desk = tested.desk
    for number in range(6):
        desk.take(alert("pump.p1", number * 20, state="resolved" if number % 2 else "firing"))
        desk.turn(20 * SECOND)
    whole = trail(tested)["steps"]

    found, before = list[Any](), None
    while True:
        page = trail(tested, limit=str(limit), **({"before": before} if before else {}))
        assert page["truncated"] == (page["next"] is not None)
        found = page["steps"] + found
        before = page["next"] and str(page["next"])
        if before is None:
            break

    def plain(steps: list[Any]) -> list[str]:
        return sorted(str(step) for step in steps)

    assert plain(found) == plain(whole)
    decisions = [one for one in whole if one["step"] != "delivery"]
    assert [one for one in found if one["step"] != "delivery"] == decisions
    assert (limit == 1000) == (len(decisions) <= limit)


def test_a_persons_trail_comes_in_pages_too(tested: Tested) -> None:
    tested.desk.take(*(alert(f"pump.p{number}", severity="critical") for number in range(5)))

    newest = tested.json("GET", "/v1/people/ann/trail", limit="2")
    older = tested.json("GET", "/v1/people/ann/trail", before=str(newest["next"]))

    assert (newest["truncated"], older["truncated"], older["next"]) == (True, False, None)
    told = [
        [one["alert_id"] for one in page["steps"] if one["alert_id"]] for page in (newest, older)
    ]
    assert [len(some) for some in told] == [2, 3]
    assert len({*told[0], *told[1]}) == 5


@pytest.mark.parametrize("asked", [{"limit": "0"}, {"limit": "1001"}, {"before": "0"}, {"a": "1"}])
def test_a_page_that_is_asked_for_wrongly_is_a_problem(
    tested: Tested, asked: dict[str, Any]
) -> None:
    answer = tested.ask("GET", "/v1/people/ann/trail", **asked)

    assert answer.status_code == 422


def test_a_silence_is_noted_once_however_often_an_escalation_meets_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ESCALATED)
    desk.take(alert("pump.p1"))
    desk.turn(MINUTE)
    asked = Silence("", "default", match_of({"rule": "hot"}), "key:bob", "works", desk.time,
                    desk.time + HOUR)  # fmt: skip

    desk.engine.silence(asked)
    desk.turn(HOUR, step=15 * SECOND)
    alert_id = desk.lives()[0].alert_id
    with desk.engine.turns.reading() as connection:
        noted = [step.step for step in alert_trail(connection, "default", alert_id).steps]
    desk.turn(6 * MINUTE, step=15 * SECOND)

    assert noted.count("silenced") == 1
    assert [one.content["kind"] for one in desk.got("hub")] == ["alerts", "escalation"]
