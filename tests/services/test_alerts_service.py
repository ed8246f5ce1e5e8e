"""The alerts service over HTTP, in process: who may do what, and what is answered."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.alerts.tables import metadata
from tests.services.alert_parts import AWAY, HOUR, MINUTE, NOON, OK, alert, at
from tests.services.alerts_http import POSTED, Tested, over_database


@pytest.fixture
def tested(tmp_path: Path) -> Tested:
    return Tested(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tested]:
    yield from over_database(request, tmp_path)


def test_an_alert_goes_its_way_over_each_database(either: Tested) -> None:
    desk = either.desk
    desk.take(alert("pump.p1", severity="critical"), alert("pump.p2"), alert("pump.p3"))
    desk.turn(MINUTE)
    (first,) = [one for one in desk.lives() if one.device == "pump.p1"]

    taken = either.json("POST", f"/v1/alerts/{first.alert_id}/acknowledge")
    desk.take(alert("pump.p1", 60, state="resolved"))
    desk.turn(6 * MINUTE)

    assert taken["state"] == "acknowledged"
    assert either.json("GET", f"/v1/alerts/{first.alert_id}")["state"] == "resolved"
    assert [one["device"] for one in either.json("GET", "/v1/alerts", state="open")["alerts"]] in (
        ["pump.p2", "pump.p3"],
        ["pump.p3", "pump.p2"],
    )
    trail = either.json("GET", f"/v1/alerts/{first.alert_id}/trail")
    steps = [step["step"] for step in trail["steps"]]
    assert steps[:4] == ["received", "routed", "told", "told"]
    assert steps.count("delivery") == 4
    assert either.json("GET", "/health")["waiting"] == 0


def test_figures_are_those_of_the_rows(either: Tested) -> None:
    desk = either.desk
    desk.sinks["mail"].answer = AWAY
    desk.take(alert("pump.p1", severity="critical"))
    desk.turn(MINUTE)

    answer = either.ask("GET", "/metrics", headers={"Authorization": ""})

    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    figures = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line[0] != "#")
    assert figures['headwater_alerts_open{severity="critical"}'] == "1"
    assert figures['headwater_alerts_messages_of_a_day{receiver="hub",state="delivered"}'] == "1"
    assert figures["headwater_alerts_messages_waiting"] == "1"
    assert float(figures["headwater_alerts_oldest_waiting_seconds"]) > 0
    assert figures["headwater_alerts_refused_of_a_day"] == "0"


def test_the_tables_are_those_of_the_migrations(either: Tested) -> None:
    with either.desk.database.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, metadata)
    assert found == []
    assert isinstance(either.desk.database, sa.Engine)


def test_a_trail_says_why_each_try_failed(tested: Tested) -> None:
    desk = tested.desk
    desk.sinks["hub"].answer = AWAY
    desk.take(alert("pump.p1", severity="critical"))
    desk.turn(5 * timedelta(seconds=1))
    desk.sinks["hub"].answer = OK
    desk.turn(MINUTE)

    alert_id = desk.lives()[0].alert_id
    steps = tested.json("GET", f"/v1/alerts/{alert_id}/trail")["steps"]

    tries = [one["facts"] for one in steps if one["facts"].get("receiver") == "hub"][1:]
    *failed, last = [each["outcome"] for each in tries]
    assert (set(failed), last) == ({"retry"}, "delivered")
    assert {each["status"] for each in tries} == {503, 200}
    assert all(each["latency_ms"] >= 0 for each in tries)
    assert len({each["message"] for each in tries}) == 1
    of_ann = tested.json("GET", "/v1/people/ann/trail")
    assert [step["step"] for step in of_ann["steps"]] == ["told", "delivery"]
    assert (of_ann["truncated"], of_ann["next"]) == (False, None)


def test_the_same_key_is_the_same_alert(tested: Tested) -> None:
    first, again = tested.post("k1"), tested.post("k1")

    assert first.status_code == 202
    assert first.json() == again.json()
    assert first.json()["event"] == "opened"
    assert len(tested.desk.lives()) == 1
    other = tested.post("k1", text="another")
    assert other.status_code == 422
    assert "Idempotency-Key" in other.json()["detail"]
    assert tested.ask("POST", "/v1/alerts", POSTED).status_code == 422


def test_what_is_posted_is_told_at_once_and_ends_by_the_same_way(tested: Tested) -> None:
    opened = tested.post("k1").json()
    tested.desk.deliver()
    assert len(tested.desk.got("hub")) == 1

    tested.desk.time = at(60)
    over = tested.post("k2", state="resolved").json()

    assert over == {"id": over["id"], "alert_id": opened["alert_id"], "event": "resolved"}
    found = tested.json("GET", f"/v1/alerts/{over['id']}")
    assert (found["alert_id"], found["state"]) == (opened["alert_id"], "resolved")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"severity": "grave"}, "severity"),
        ({"rule": ""}, "rule"),
        ({"device": "a b"}, "device"),
        ({"colour": "red"}, "colour"),
        ({"event_time": "2026-01-01T00:00:00"}, "event_time"),
        ({"event_time": "0001-01-01T00:00:00+14:00"}, "event_time"),
        ({"event_time": "9999-12-31T23:00:00-14:00"}, "event_time"),
        ({"event_time": -86_400}, "event_time"),
    ],
)
def test_a_wrong_alert_is_a_problem(tested: Tested, changes: dict[str, object], place: str) -> None:
    answer = tested.post("k1", **changes)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert place in answer.json()["detail"]


def test_each_role_may_do_its_own(tested: Tested) -> None:
    tested.desk.take(alert("pump.p1"))
    alert_id = tested.desk.lives()[0].alert_id
    viewer, stranger = tested.key("viewer"), tested.key("admin", "other")

    def status(method: str, path: str, body: object = None, **asked: Any) -> int:
        return tested.ask(method, path, body, **asked).status_code

    assert status("GET", "/v1/alerts", key="hw_no.key") == 401
    assert status("GET", f"/v1/alerts/{alert_id}", key=viewer) == 200
    assert status("POST", f"/v1/alerts/{alert_id}/acknowledge", key=viewer) == 403
    assert status("POST", "/v1/tests", {"to": "ann"}, key=viewer) == 403
    assert status("GET", f"/v1/alerts/{alert_id}", key=stranger) == 404
    assert status("GET", f"/v1/alerts/{alert_id}", key=stranger, tenant="default") == 403
    assert status("POST", f"/v1/alerts/{alert_id}/resolve", key=stranger) == 404
    assert status("GET", "/v1/people/ann/trail", key=stranger) == 404
    assert status("POST", "/v1/tests", {"to": "ann"}, key=stranger) == 404


def test_a_person_of_another_tenant_is_not_shown(tested: Tested) -> None:
    assert [one["name"] for one in tested.json("GET", "/v1/people")] == ["ann"]
    assert [one["name"] for one in tested.json("GET", "/v1/people", tenant="other")] == ["eve"]


def test_a_silence_has_an_author_and_an_end(tested: Tested) -> None:
    operator = tested.key("operator")
    body = {
        "match": {"device": ["pump.*"]},
        "comment": "works",
        "ends_at": (NOON + HOUR).isoformat(),
    }

    made = tested.json("POST", "/v1/silences", body, key=operator)

    assert made["author"].startswith("key:")
    assert [one["silence_id"] for one in tested.json("GET", "/v1/silences")] == [made["silence_id"]]
    assert tested.json("GET", "/v1/silences", tenant="other") == []
    path = f"/v1/silences/{made['silence_id']}"
    assert tested.ask("DELETE", path, tenant="other").status_code == 404
    assert tested.json("DELETE", path) == {"ended": made["silence_id"]}
    assert tested.json("GET", "/v1/silences") == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"match": {}}, "match"),
        ({"match": {"colour": ["red"]}}, "there are tenant, rule"),
        ({"comment": ""}, "comment"),
        ({"ends_at": NOON.isoformat()}, "ends_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
        ({"ends_at": (NOON + timedelta(days=91)).isoformat()}, "90 days"),
    ],
)
def test_a_wrong_silence_is_a_problem(
    tested: Tested, changes: dict[str, object], reason: str
) -> None:
    body = {"match": {"rule": ["a"]}, "comment": "b", "ends_at": (NOON + HOUR).isoformat()}

    answer = tested.ask("POST", "/v1/silences", {**body, **changes})

    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


def test_pages_show_every_alert_once(tested: Tested) -> None:
    tested.desk.take(*(alert(f"pump.p{number}") for number in range(25)))

    found, after = list[str](), None
    while True:
        query = {"limit": "10", **({"after": after} if after else {})}
        page = tested.json("GET", "/v1/alerts", **query)
        found += [one["device"] for one in page["alerts"]]
        after = page["next"]
        if after is None:
            break

    assert sorted(found) == sorted(f"pump.p{number}" for number in range(25))


def test_a_test_goes_to_each_receiver_of_a_person(tested: Tested) -> None:
    (key,) = tested.json("POST", "/v1/tests", {"to": "ann"})["messages"]
    tested.desk.deliver()

    assert tested.json("GET", f"/v1/messages/{key}")["state"] == "delivered"
    assert [one.content["kind"] for one in tested.desk.got("mail")] == ["test"]
    assert tested.ask("POST", "/v1/tests", {"to": "nobody"}).status_code == 404


def test_the_document_describes_problems(tested: Tested) -> None:
    document = tested.json("GET", "/openapi.json")

    answers = document["paths"]["/v1/alerts"]["post"]["responses"]
    assert "application/problem+json" in answers["422"]["content"]
