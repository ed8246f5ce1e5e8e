"""Checks of ports, fetched parts and processes left behind."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from infra.doctor.stack import check_parts, check_ports, check_strays, free_base
from infra.processes import MARK
from infra.supervision.service import Service
from telemetry.settings import Settings


def needing(*ports: int) -> Service:
    return Service("kafka", lambda: (), 1, ports=ports)


def test_taken_port_is_named_with_its_holder_and_a_fix(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (finding,) = check_ports(Settings(home=tmp_path, port_base=18000), [needing(port)])
    assert (finding.subject, finding.verdict) == (f"port {port}", "missing")
    assert f"(pid {os.getpid()})" in finding.found
    assert "kafka" in finding.found
    assert "HEADWATER_PORT_BASE=18100" in finding.fix


def test_taken_port_of_udp_is_named_and_those_of_tcp_are_others(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port_base=18000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        gateway = Service("gateway", lambda: (), 1, datagram_ports=(port,))
        (finding,) = check_ports(settings, [gateway])
        (other,) = check_ports(settings, [needing(port)])
    assert (finding.subject, finding.verdict) == (f"port {port}", "missing")
    assert f"(pid {os.getpid()})" in finding.found
    assert other.verdict == "ok"


def test_port_of_our_own_stack_is_free_for_it(tmp_path: Path) -> None:
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', 0));"
    listen += " print(s.getsockname()[1], flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", listen],
        env={**os.environ, MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        (own,) = check_ports(Settings(home=tmp_path), [needing(port)])
        (other,) = check_ports(Settings(home=tmp_path / "other"), [needing(port)])
        strays = check_strays(Settings(home=tmp_path))
    finally:
        process.kill()
        process.communicate()
    assert own.verdict == "ok"
    assert f"HEADWATER_HOME={tmp_path}" in other.found
    assert (strays.verdict, str(process.pid) in strays.found) == ("warning", True)


def test_missing_parts_are_fetched_by_up(tmp_path: Path) -> None:
    finding = check_parts(Settings(cache=tmp_path), ["kafka", "spark"])
    assert (finding.verdict, finding.found) == ("warning", "not fetched: kafka, spark")
    assert "headwater fetch kafka spark" in finding.fix


def test_home_without_processes_has_no_strays(tmp_path: Path) -> None:
    assert check_strays(Settings(home=tmp_path)).verdict == "ok"


def test_the_ports_that_are_named_instead_are_free() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        held = other.getsockname()[1]
        base = held - 103

        found = free_base(base, {0, 3, 9})

    assert found != base + 100
    assert 1024 <= free_base(65_000, {0, 15}) <= 65_000
