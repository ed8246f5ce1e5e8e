"""Superset's cache: one asks, the others wait, and nobody waits for a query that failed."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.superset.environment import superset_python
from infra.superset.inside.flights import Flights
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

ROOT = Path(__file__).parents[2]


def test_first_asks_and_others_wait_until_it_landed() -> None:
    flights = Flights(15.0, lambda: 0.0)
    assert flights.begun("k", "anna") is None
    waits = flights.begun("k", "bert")
    assert waits is not None
    assert not waits.is_set()
    assert flights.begun("other", "bert") is None
    flights.landed("k")
    assert waits.is_set()
    for who in ("anna", "bert"):
        flights.given_up(who)
    assert len(flights) == 0


def test_failure_wakes_those_who_wait_and_leaves_nothing() -> None:
    flights = Flights(15.0, lambda: 0.0)
    flights.begun("k", "anna")
    waits = flights.begun("k", "bert")
    assert waits is not None
    flights.given_up("anna")
    assert waits.is_set()
    assert len(flights) == 0
    assert flights.begun("k", "bert") is None


def test_flight_of_another_is_not_ended_by_one_that_took_too_long() -> None:
    now = [0.0]
    flights = Flights(15.0, lambda: now[0])
    flights.begun("k", "slow")
    now[0] = 15.1
    assert flights.begun("k", "next") is None
    waits = flights.begun("k", "third")
    assert waits is not None
    flights.given_up("slow")
    assert not waits.is_set()
    flights.landed("k")
    assert waits.is_set()


def test_of_those_who_wait_for_one_that_failed_one_asks() -> None:
    flights, found, asked = Flights(15.0), list[str](), list[int]()
    flights.begun("k", "failed")

    def reads(number: int) -> str:
        answer = flights.wait("k", number, lambda: next(iter(found), None))
        if answer is not None:
            return answer
        asked.append(number)
        time.sleep(0.2)
        found.append("answer")
        flights.landed("k")
        flights.given_up(number)
        return "answer"

    with ThreadPoolExecutor(8) as crowd:
        answers = [crowd.submit(reads, number) for number in range(8)]
        time.sleep(0.2)
        flights.given_up("failed")
        assert [answer.result() for answer in answers] == ["answer"] * 8
    assert len(asked) == 1
    assert len(flights) == 0


def test_who_waited_long_enough_asks() -> None:
    flights = Flights(0.2)
    flights.begun("k", "slow")
    assert flights.wait("k", "next", lambda: None) is None


def test_nobody_waits_for_himself() -> None:
    flights = Flights(15.0, lambda: 0.0)
    assert flights.begun("k", "anna") is None
    assert flights.begun("k", "anna") is None


def test_request_that_fails_lets_the_others_ask(tmp_path: Path) -> None:
    try:
        python = superset_python(Settings())
    except HeadwaterError:
        pytest.skip("Superset is not fetched: headwater fetch superset")
    program = ROOT / "tests" / "infra" / "single_flight_app.py"
    ran = subprocess.run(
        [python, program, tmp_path / "cache"],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["good"]["statuses"] == [200] * 4
    assert told["good"]["calls"] == 1
    assert told["bad"]["statuses"] == [200, 200, 200, 500]
    assert told["bad"]["longest_s"] < 10
    assert told["soon"]["answer"] == "k found before"
    assert [each["remembered"] for each in told.values()] == [0, 0, 0]
