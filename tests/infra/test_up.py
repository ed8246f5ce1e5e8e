"""`up` and `down` as a user meets them: done twice, killed, and on a machine that lacks things."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.processes import stack_processes
from tests.end_to_end.stack import Answer, Stack, free_port_base

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "home", free_port_base())
    yield stack
    stack.run("down", "--wipe", check=False)
    assert stack_processes(stack.home) == []


def kafka(stack: Stack) -> dict[str, object]:
    """Return the broker's line of status."""
    answer = stack.run("status", "--json", check=False).json
    assert isinstance(answer, dict)
    return next(service for service in answer["services"] if service["name"] == "kafka")


def run_with(stack: Stack, environment: dict[str, str], *arguments: str) -> Answer:
    """Run a command with some variables changed."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.cli", *arguments],
        env={**stack.environment, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def error(answer: Answer) -> str:
    """Return the one line that a refused command says."""
    assert answer.code == 1
    assert "Traceback" not in answer.err
    (line,) = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    return line


def test_broker_goes_up_twice_survives_kills_and_leaves_nothing(stack: Stack) -> None:
    first = stack.run("up", "--only", "kafka")
    assert f"127.0.0.1:{stack.port_base}" in first.out
    before = kafka(stack)
    assert (before["state"], before["budget_mb"]) == ("running", 512)
    assert 50 < int(str(before["pss_mb"])) < 512

    second = Stack(stack.home.with_name("second"), stack.port_base)
    refused = error(second.run("up", "--only", "kafka", check=False))
    assert f"HEADWATER_HOME={stack.home}" in refused

    stack.run("up", "--only", "kafka")
    assert kafka(stack)["pid"] == before["pid"]
    assert stack.run("status").code == 0

    os.kill(int((stack.home / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    assert stack.run("status", check=False).code == 1
    assert psutil.pid_exists(int(str(before["pid"])))
    stack.run("up", "--only", "kafka")
    after = kafka(stack)
    assert after["state"] == "running"
    assert after["pid"] != before["pid"]
    assert not psutil.pid_exists(int(str(before["pid"])))
    assert "Kafka Server started" in stack.run("logs", "kafka", "-n", "1000").out

    assert "stopped 2 processes" in stack.run("down").out
    assert stack_processes(stack.home) == []
    assert stack.run("down").out == "nothing was running\n"


def test_killed_up_leaves_what_the_next_down_ends(stack: Stack) -> None:
    up = subprocess.Popen(
        [sys.executable, "-m", "infra.cli", "up", "--only", "kafka"], env=stack.environment
    )
    pid_file = stack.home / "run" / "supervisord.pid"
    while not pid_file.exists() and up.poll() is None:
        time.sleep(0.002)
    up.kill()
    up.wait()
    assert "stopped" in stack.run("down").out
    assert stack_processes(stack.home) == []


def test_up_that_is_broken_off_says_what_goes_on(stack: Stack) -> None:
    command = [sys.executable, "-m", "infra.cli", "up", "--only", "kafka"]
    up = subprocess.Popen(command, env=stack.environment, stderr=subprocess.PIPE, text=True)
    pid_file = stack.home / "run" / "supervisord.pid"
    while not pid_file.exists() and up.poll() is None:
        time.sleep(0.002)
    while not kafka(stack)["pid"] and up.poll() is None:
        time.sleep(0.1)
    up.send_signal(signal.SIGINT)
    _, said = up.communicate(timeout=30)

    assert up.returncode == 1
    assert "`headwater down` stops it all" in said
    assert "stopped 2 processes" in stack.run("down").out


def test_taken_port_names_its_holder_and_a_fix(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.port_base)):
        said = error(stack.run("up", "--only", "kafka", check=False))
        doctor = stack.run("doctor", "--json", check=False)
    assert said.startswith(f"error: port {stack.port_base}: kafka needs it")
    assert f"pid {os.getpid()}" in said
    assert "HEADWATER_PORT_BASE" in said
    assert doctor.code == 1
    assert f"port {stack.port_base}" in doctor.out


def test_lock_of_a_dead_process_is_no_hindrance(stack: Stack) -> None:
    stack.home.mkdir()
    (stack.home / "lock").write_text(f"headwater up, pid {2**22 - 3}\n")
    (stack.home / "run").mkdir()
    (stack.home / "run" / "supervisord.pid").write_text("1\n")
    (stack.home / "run" / "supervisor.sock").touch()
    assert stack.run("up", "--only", "kafka").code == 0


def test_old_java_is_refused_with_its_place_and_a_fix(stack: Stack, tmp_path: Path) -> None:
    java = tmp_path / "jdk-11" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    for environment in (
        {"JAVA_HOME": str(java.parent.parent)},
        {"JAVA_HOME": "", "PATH": f"{java.parent}:{os.environ['PATH']}"},
    ):
        said = error(run_with(stack, environment, "up", "--light"))
        assert "Java 11 found at" in said
        assert "17 or newer" in said
        doctor = run_with(stack, environment, "doctor", "--light")
        assert doctor.code == 1


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    with (disk / "filler").open("wb") as filler:
        filler.write(bytes(2 * 1024 * 1024 - 64 * 1024))
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_is_refused_before_anything_starts(full_disk: Path) -> None:
    stack = Stack(full_disk / "home", free_port_base())
    said = error(stack.run("up", "--only", "kafka", check=False))
    assert "MiB free" in said
    assert "HEADWATER_HOME" in said
    assert stack_processes(stack.home) == []
    assert "MiB free" in stack.run("doctor", "--json", check=False).out
