"""What `status` makes of services and streams."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra.health import (
    Health,
    ServiceHealth,
    State,
    consumer_devices,
    health,
    service_state,
)
from infra.stack import Stack, write_stack
from infra.streams import Stream
from infra.supervision.daemon import Run
from infra.supervision.service import Service
from telemetry.settings import Settings


def service(name: str = "kafka", state: State = "running", pid: int | None = 7) -> ServiceHealth:
    return ServiceHealth(name, state, None, pid, 100, 512)


def stream(state: str = "running", name: str = "gold") -> Stream:
    return Stream(name, state, 1.0, 0, 0.5, None, at=1.0)


@pytest.mark.parametrize(
    ("services", "streams", "is_healthy"),
    [
        ([service(), service("streams")], [stream()], True),
        ([service(), service("streams")], [stream("degraded")], False),
        ([service(), service("streams")], [stream(), stream("stopped", "landing_spool")], True),
        ([service(), service("streams", "failed")], [], False),
        ([service(), service("streams"), service("trino", "stopped", None)], [], True),
    ],
)
def test_all_that_was_started_must_run(
    services: list[ServiceHealth], streams: list[Stream], is_healthy: bool
) -> None:
    assert Health(tuple(services), tuple(streams), ("kafka", "streams")).is_healthy == is_healthy


@pytest.mark.parametrize(
    ("run", "complaint", "state"),
    [
        (Run("kafka", "starting", 7, 2), None, "running"),
        (Run("kafka", "starting", 7, 2), "no answer", "starting"),
        (Run("kafka", "starting", None, 2), None, "starting"),
        (Run("kafka", "running", 7, 10), "no answer", "starting"),
        (Run("kafka", "running", 7, 100), "no answer", "degraded"),
        (Run("kafka", "running", 7, 100), None, "running"),
        (Run("kafka", "failed", None, 100), None, "failed"),
        (None, None, "stopped"),
    ],
)
def test_service_that_answers_runs(run: Run | None, complaint: str | None, state: State) -> None:
    asked = Service("kafka", command=list, budget_mb=512, complaint=lambda: complaint)
    assert service_state(asked, run) == state


def test_service_without_a_probe_is_what_supervisord_says() -> None:
    silent = Service("kafka", command=list, budget_mb=512)
    assert service_state(silent, Run("kafka", "starting", 7, 2)) == "starting"
    assert service_state(silent, Run("kafka", "running", 7, 100)) == "running"


def test_streams_that_were_not_started_do_not_count() -> None:
    assert Health((service(),), (stream("stopped"),), ("kafka",)).is_healthy


def test_nothing_runs() -> None:
    now = Health((service(state="stopped", pid=None),), (), ())
    assert (now.is_up, now.is_healthy) == (False, False)


def test_json_has_the_names_that_outsiders_rely_on() -> None:
    shown = Health((service(),), (stream(),), ()).as_json()
    assert json.loads(json.dumps(shown)) == shown
    assert list(shown["services"][0]) == ["name", "state", "url", "pid", "pss_mb", "budget_mb"]
    assert list(shown["streams"][0]) == [
        "name",
        "state",
        "input_rows_per_s",
        "lag_messages",
        "age_s",
        "event_time",
        "error",
    ]


def test_home_that_is_down_shows_every_service_of_its_mode(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, streams="always_on", superset="on")
    assert {each.state for each in health(settings).services} == {"stopped"}
    assert len(health(settings).services) == 12
    write_stack(tmp_path, Stack("light", 18000, ("streams",)))
    assert [each.name for each in health(settings).services] == ["streams", "gateway", "query"]


@pytest.mark.parametrize(
    ("state", "told", "expected"),
    [
        ("running", {"status": "ok", "consumer_devices": 3}, 3),
        ("running", {"status": "ok"}, None),
        ("running", OSError("gone"), None),
        ("stopped", {"consumer_devices": 3}, None),
    ],
)
def test_registry_says_how_many_devices_are_outside_the_promise(
    state: State, told: object, expected: int | None
) -> None:
    def ask(url: str) -> object:
        assert url == "http://r/health"
        if isinstance(told, OSError):
            raise told
        return told

    there = service("registry", state)
    found = consumer_devices([service(), replace(there, url="http://r")], ask)

    assert found == expected
