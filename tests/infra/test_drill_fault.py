"""A drill that is killed: what it left is named, and undone by whoever starts something next."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from infra.cli import cli
from infra.doctor.stack import check_drills
from infra.drills.drills import DRILLS
from infra.drills.fault import NOTE, Fault, left_faults, noted, under_way, undo_faults
from infra.processes import MARK, end, stack_processes
from infra.starting import start
from infra.supervision.daemon import Daemon
from telemetry.settings import Settings
from tests.infra.rehearsal import REHEARSAL
from tests.infra.supervision.services import nobody_watches, service
from tests.infra.test_drill_ending import WAITS, within

KILLED = f"""{REHEARSAL}
folder = home / "drills" / "slow-disk-1"
ground = Rehearsal(Settings(home=home), "full", folder, print)
fault = Fault("slow-disk", "halts Kafka", (), folder)
with orderly(), noted(fault), ground.fleet(Fleet("drill")):
    disks.slow_down(ground)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[psutil.Process]:
    environment = {**os.environ, MARK: str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", WAITS], env=environment)
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


@pytest.fixture
def fleet(tmp_path: Path, writer: psutil.Process) -> int:
    """Return the fleet of a drill that was killed while it had halted the writer."""
    words = [str(tmp_path), str(writer.pid), WAITS]
    drill = subprocess.Popen([sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE)
    assert drill.stdout is not None
    started = int(drill.stdout.readline())
    assert within(30, lambda: writer.status() == psutil.STATUS_STOPPED)
    assert left_faults(tmp_path) == [], "it runs"
    drill.send_signal(signal.SIGKILL)
    drill.wait(timeout=30)
    drill.stdout.close()
    return started


def is_gone(pid: int) -> Callable[[], bool]:
    return lambda: (
        not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    )


def test_fault_of_a_killed_drill_is_undone(
    tmp_path: Path, writer: psutil.Process, fleet: int
) -> None:
    assert writer.status() == psutil.STATUS_STOPPED
    assert not is_gone(fleet)()
    said: list[str] = []

    (undone,) = undo_faults(tmp_path, said.append)

    assert undone.drill == "slow-disk"
    assert "slow-disk" in said[0]
    assert within(10, lambda: writer.status() != psutil.STATUS_STOPPED)
    assert within(10, is_gone(fleet))
    assert left_faults(tmp_path) == []
    assert undo_faults(tmp_path, said.append) == []


@pytest.mark.parametrize("command", [["drill", "poison"], ["down"]])
def test_commands_undo_what_a_killed_drill_left(
    tmp_path: Path,
    writer: psutil.Process,
    fleet: int,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))

    done = CliRunner().invoke(cli, command)

    assert "undoes the drill slow-disk" in done.stderr
    assert within(10, is_gone(fleet))
    assert within(10, lambda: not writer.is_running() or writer.status() != "stopped")


def test_status_and_doctor_name_it_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))
    drill = DRILLS["checkpoint-loss"]
    fault = Fault(drill.name, drill.does, drill.stops, tmp_path / "drills" / "one")
    with noted(fault):
        text = (fault.folder / NOTE).read_text()
        assert left_faults(tmp_path) == []
    assert not (fault.folder / NOTE).exists()
    (fault.folder / NOTE).write_text(text)

    assert left_faults(tmp_path) == [fault]
    said = CliRunner().invoke(cli, ["status"]).stderr
    assert "checkpoint-loss was killed" in said
    assert "`headwater up` undoes it" in said
    (finding,) = check_drills(Settings(home=tmp_path))
    assert (finding.verdict, finding.subject) == ("warning", "drill checkpoint-loss")
    assert "headwater up" in finding.fix


@pytest.mark.parametrize("note", ["", "\0\0\0", "null", "{}"])
def test_note_that_a_loss_of_power_has_emptied_keeps_nobody_from_starting(
    tmp_path: Path, note: str
) -> None:
    path = tmp_path / "drills" / "slow-disk-20261121T080000" / NOTE
    path.parent.mkdir(parents=True)
    path.write_text(note)

    (fault,) = left_faults(tmp_path)
    assert fault.drill == "slow-disk"
    assert [each.drill for each in undo_faults(tmp_path, lambda _: None)] == ["slow-disk"]
    assert not path.exists()


def test_second_drill_is_refused_while_one_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))
    fault = Fault("late-flood", "sends late", (), tmp_path / "drills" / "one")
    with noted(fault):
        done = CliRunner().invoke(cli, ["drill", "poison"])
        assert (fault.folder / NOTE).exists()

    assert done.exit_code == 1
    assert "late-flood is held" in done.stderr
    assert under_way(tmp_path) is None


@pytest.mark.faults
def test_services_that_a_killed_drill_has_stopped_run_again(tmp_path: Path) -> None:
    slow = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: time.sleep(5) or exit())"
    heeds = tmp_path / "heeds"
    waits = f"open({str(heeds)!r}, 'w').close(); time.sleep(300)"
    daemon = Daemon(tmp_path)
    quick = service("streams", (sys.executable, "-c", f"{slow}; {waits}"))
    streams = replace(quick, stop_wait_s=20)
    daemon.start([streams], {})
    try:
        start(daemon, [streams], timeout_s=20, show=nobody_watches)
        assert within(20, heeds.exists)
        before = daemon.runs()["streams"].pid
        fault = Fault("checkpoint-loss", "stops", ("streams",), tmp_path / "drills" / "one")
        with noted(fault):
            text = (fault.folder / NOTE).read_text()
        (fault.folder / NOTE).write_text(text)
        daemon.stop_service("streams")
        assert daemon.runs()["streams"].is_stopping

        undo_faults(tmp_path, lambda _: None)

        assert within(10, lambda: daemon.runs()["streams"].pid not in (before, None))
    finally:
        end(stack_processes(tmp_path), grace_s=1)


def test_drill_that_stops_services_says_so_before() -> None:
    assert DRILLS["checkpoint-loss"].stops == ("streams",)
