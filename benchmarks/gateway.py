"""Acknowledged MQTT messages a second: the gateway over Kafka beside mosquitto without any.

QoS 1, 155 bytes, each message authenticated, decoded far enough to route, and acknowledged once
Kafka (acks=all) has it; mosquitto keeps nothing. Rounds in turns, so that both meet the same
machine. `make bench BENCH=gateway OUT=build/gateway.json`
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

from benchmarks.report import Figures, parser, report
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base

SHAPES = {"1000_connections_1_in_flight": (1000, 1), "8_connections_64_in_flight": (8, 64)}
LIMITS = {"1000_connections_1_in_flight": 0.7, "8_connections_64_in_flight": 2.0}
MOSQUITTO = """listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
"""


class Taken(NamedTuple):
    """One run: messages a second, the server's CPU time a message, and the latency's p95."""

    per_s: float
    cpu_us: float
    p95_ms: float


class Server(NamedTuple):
    """What is measured."""

    name: str
    port: int
    pid: int


def run(rounds: int, seconds: float) -> Figures:
    """Start both servers, and measure them in turns."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "home", free_port_base())
        os.environ["HEADWATER_GATEWAY_DEVELOPMENT"] = "anonymous"
        stack.run("up", "--only", "kafka,registry,gateway", timeout_s=600)
        try:
            settings = Settings(home=stack.home, port_base=stack.port_base)
            with _mosquitto(Path(folder)) as mosquitto:
                gateway = Server("gateway", settings.port("gateway_mqtt"), _pid(stack))
                figures = _measure([gateway, mosquitto], rounds, seconds)
            return figures | {"http_batch_messages_per_s": _batches(settings, seconds)}
        finally:
            stack.run("down", check=False)


def _pid(stack: Stack) -> int:
    services = json.loads(stack.run("status", "--json", check=False).out)["services"]
    return next(int(each["pid"]) for each in services if each["name"] == "gateway")


@contextmanager
def _mosquitto(folder: Path) -> Iterator[Server]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise HeadwaterError("mosquitto is not installed (Debian: apt-get install mosquitto)")
    port = free_port_base()
    (folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=port))
    command = [program, "-c", str(folder / "mosquitto.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    try:
        yield Server("mosquitto", port, process.pid)
    finally:
        process.kill()
        process.wait()


def _measure(servers: list[Server], rounds: int, seconds: float) -> dict[str, object]:
    figures: dict[str, object] = {}
    for shape, (connections, depth) in SHAPES.items():
        taken: dict[str, list[Taken]] = {server.name: [] for server in servers}
        for _ in range(rounds):
            for server in servers:
                taken[server.name].append(_load(server, connections, depth, seconds))
        for name, runs in taken.items():
            figures[f"{shape}.{name}_per_s"] = statistics.median(one.per_s for one in runs)
            figures[f"{shape}.{name}_cpu_us"] = statistics.median(one.cpu_us for one in runs)
            figures[f"{shape}.{name}_p95_ms"] = statistics.median(one.p95_ms for one in runs)
        ratios = [
            one.per_s / other.per_s
            for one, other in zip(taken["gateway"], taken["mosquitto"], strict=True)
        ]
        figures[f"{shape}.of_mosquitto"] = statistics.median(ratios)
        figures[f"{shape}.of_mosquitto_limit"] = LIMITS[shape]
    return figures


def _load(server: Server, connections: int, depth: int, seconds: float) -> Taken:
    process = psutil.Process(server.pid)
    before = process.cpu_times()
    command = [sys.executable, "-m", "benchmarks.mqtt_load", str(server.port)]
    command += [str(connections), str(depth), str(seconds)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120 + seconds)
    after = process.cpu_times()
    found = json.loads(done.stdout)
    cpu_s = after.user + after.system - before.user - before.system
    return Taken(found["per_s"], cpu_s / found["all_acked"] * 1e6, found["p95_ms"])


def _batches(settings: Settings, seconds: float) -> float:
    """Return messages a second by HTTP, a thousand lines a request."""
    line = b'{"seq":1,"metrics":{"temperature":21.4,"humidity":40.25,"state":"idle"}}\n'
    url = f"http://127.0.0.1:{settings.port('gateway_http')}/devices/h1/telemetry"
    headers = {"Content-Type": "application/x-ndjson"}
    with httpx.Client(auth=("h1", ""), headers=headers, timeout=60) as client:
        client.post(url, content=line).raise_for_status()
        sent, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            client.post(url, content=line * 1_000).raise_for_status()
            sent += 1_000
        return sent / (time.perf_counter() - started)


def main() -> None:
    """Measure and report."""
    arguments = parser("the gateway beside mosquitto")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=5.0)
    given = arguments.parse_args()
    report("gateway", run(given.rounds, given.seconds), given.out)


if __name__ == "__main__":
    main()
