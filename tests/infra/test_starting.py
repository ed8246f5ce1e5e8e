"""Services started in order and kept, with a real supervisord and small programs."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from infra.processes import DEMO_MARK, end, stack_processes
from infra.starting import start
from infra.stopping import stop
from infra.supervision.daemon import Daemon
from infra.supervision.service import Service
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.infra.supervision.services import file_complaint, nobody_watches, service

pytestmark = pytest.mark.faults
Names = Sequence[str]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end(stack_processes(tmp_path), grace_s=1)


def begin(home: Path, *services: Service, timeout_s: float = 20) -> Daemon:
    daemon = Daemon(home)
    if daemon.is_running():
        daemon.declare(services, {})
    else:
        daemon.start(services, {})
    start(daemon, services, timeout_s=timeout_s, show=nobody_watches)
    return daemon


def wait_for(condition: object) -> None:
    assert callable(condition)
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_service_starts_once_what_it_needs_is_ready(home: Path) -> None:
    order: list[str] = []
    write = (sys.executable, "-c", "import time; open('first', 'w'); time.sleep(300)")
    first = service(
        "first",
        write,
        complaint=file_complaint(home / "run" / "first"),
        before_start=lambda: order.append("first"),
    )
    second = service(
        "second",
        after=("first", "not chosen"),
        before_start=lambda: order.append(f"second {(home / 'run' / 'first').exists()}"),
    )
    begin(home, second, first)
    assert order == ["first", "second True"]


def test_starting_twice_changes_nothing(home: Path) -> None:
    before = begin(home, service("one")).runs()["one"].pid
    assert begin(home, service("one")).runs()["one"].pid == before


def test_changed_service_is_started_anew_and_the_other_stays(home: Path) -> None:
    before = begin(home, service("one"), service("two")).runs()
    changed = (*service("one").command(), "argument")
    after = begin(home, service("one", changed), service("two")).runs()
    assert before["one"].pid != after["one"].pid
    assert before["two"].pid == after["two"].pid


def test_changed_services_that_ran_are_named_so_that_they_run_again(home: Path) -> None:
    three = [service(name) for name in ("one", "two", "three")]
    daemon = Daemon(home)
    daemon.start(three, {})
    start(daemon, three[:2], timeout_s=20, show=nobody_watches)

    assert daemon.declare(three, {}) == set()
    assert daemon.declare(three, {"HEADWATER_CHANGED": "1"}) == {"one", "two"}
    assert {run.state for run in daemon.runs().values()} == {"stopped"}


def test_service_that_is_no_longer_declared_is_stopped(home: Path) -> None:
    begin(home, service("one"), service("two"))
    assert set(begin(home, service("two")).runs()) == {"two"}
    wait_for(lambda: len(stack_processes(home)) == 2)


def test_services_of_a_demo_are_the_stack_s_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEMO_MARK, str(home))
    begin(home, service("one"))
    wait_for(lambda: len(stack_processes(home)) == 2)
    assert stack_processes(home, DEMO_MARK) == []


def test_killed_service_is_started_again(home: Path) -> None:
    daemon = begin(home, service("one"))
    before = daemon.runs()["one"].pid
    assert before
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: daemon.runs()["one"].pid not in (before, None))


def test_service_that_cannot_start_is_told_with_its_last_words(home: Path) -> None:
    dies = (sys.executable, "-c", "raise SystemExit('Error: no such moon')")
    with pytest.raises(HeadwaterError, match=r"moon ends as soon.*Error: no such moon.*logs moon"):
        begin(home, service("moon", dies, complaint=lambda: "not there"))


def test_service_that_is_never_ready_is_told_with_its_complaint(home: Path) -> None:
    with pytest.raises(HeadwaterError, match=r"not ready after 1 s.*still counting"):
        begin(home, service("one", complaint=lambda: "still counting"), timeout_s=1)


def test_stop_leaves_no_process_and_no_socket(home: Path) -> None:
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c',"
    child += " 'import os, time; os.setsid(); time.sleep(300)']).wait()"
    begin(home, service("parent", (sys.executable, "-c", child)))
    wait_for(lambda: len(stack_processes(home)) == 3)
    assert stop(Settings(home=home), lambda _: None) == 3
    assert stack_processes(home) == []
    assert not (home / "run" / "supervisor.sock").exists()


def test_stop_finds_what_a_killed_supervisord_left(home: Path) -> None:
    daemon = begin(home, service("one"))
    # Its program has begun by now: one that is just being made has no environment to tell it by.
    wait_for(lambda: len(stack_processes(home)) == 2)
    os.kill(daemon.pid() or 0, signal.SIGKILL)
    wait_for(lambda: not daemon.is_running())
    assert stop(Settings(home=home), lambda _: None) == 1
    assert stack_processes(home) == []


def test_supervisord_starts_over_the_remains_of_a_killed_one(home: Path) -> None:
    daemon = begin(home, service("one"))
    os.kill(daemon.pid() or 0, signal.SIGKILL)
    wait_for(lambda: not daemon.is_running())
    end(stack_processes(home), grace_s=1)
    assert (home / "run" / "supervisord.pid").exists()
    assert begin(home, service("one")).runs()["one"].pid
