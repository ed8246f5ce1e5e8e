"""The gateway's bars: messages a second beside mosquitto, latency, idle connections, HTTP batches.

Each message is authenticated, decoded far enough to route, and acknowledged once Kafka (acks=all)
has it; mosquitto keeps nothing and lets anybody in. After each load the broker is asked how many
records it holds. `make bench BENCH=gateway OUT=build/gateway.json`; `--only idle` runs one part.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway_site import MOST_CONNECTIONS, Server, Site, mosquitto, site
from benchmarks.report import Figures, parser, report
from telemetry.errors import HeadwaterError

SHAPES = {"1000_connections_1_in_flight": (1000, 1), "8_connections_64_in_flight": (8, 64)}
LEAST_OF_MOSQUITTO = {"1000_connections_1_in_flight": 0.7, "8_connections_64_in_flight": 2.0}
PACED_CONNECTIONS = 5_000
PACED_PER_S = 10_000
MOST_P95_MS = 50
MOST_P99_MS = 250
MOST_IDLE_MB = 400
LEAST_HTTP_PER_CORE_S = 50_000
HTTP_CONNECTIONS = 4
LOAD_TIMEOUT_S = 180
SHOWN = ("per_s", "cpu_us", "store_cpu_us", "load_cpu_us", "busy", "load_busy", "p95_ms")
"""CPU time a message of the server, of Kafka and of the load, and how many cores two of them keep
busy: where the load has a whole core and the server has none, messages/s are the load's."""
Found = dict[str, float]


@dataclass(frozen=True, slots=True)
class Extent:
    """How long each load lasts, how often servers take turns, connections that are idle."""

    seconds: float
    rounds: int
    idle: int


def load(kind: str, server: Server, *numbers: float, port: int | None = None) -> Found:
    """Run one load in a process of its own, and return what it found."""
    command = [sys.executable, "-m", f"benchmarks.{kind}", str(port or server.port)]
    command += [str(server.pid), server.key or "-", *(str(number) for number in numbers)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=LOAD_TIMEOUT_S
    )
    if done.returncode:
        raise HeadwaterError(f"{kind}: {done.stderr.strip()[-400:]}")
    found: Found = json.loads(done.stdout)
    return found


def held(place: Site, kind: str, *numbers: float, port: int | None = None) -> Found:
    """Run one load on the gateway, and ask the broker for what was acknowledged."""
    before = place.held()
    found = load(kind, place.gateway, *numbers, port=port)
    found["missing"] = found["acked"] - (place.held() - before)
    if found["missing"] > 0:
        raise HeadwaterError(f"{found['missing']:,} acknowledged messages are not in Kafka")
    return found


def throughput(place: Site, extent: Extent) -> Figures:
    """Measure gateway and mosquitto in turns, so that both meet the same machine."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as peer:
        for shape, (connections, depth) in SHAPES.items():
            numbers = connections, depth, extent.seconds
            taken = [
                (
                    held(place, "mqtt_load", *numbers, place.kafka_pid),
                    load("mqtt_load", peer, *numbers, 0),
                )
                for _ in range(extent.rounds)
            ]
            for which, name in enumerate(("gateway", "mosquitto")):
                for figure in SHOWN:
                    values = [pair[which][figure] for pair in taken]
                    figures[f"{shape}.{name}_{figure}"] = statistics.median(values)
            ratio = statistics.median(ours["per_s"] / other["per_s"] for ours, other in taken)
            figures |= bar(f"{shape}.of_mosquitto", ratio, least=LEAST_OF_MOSQUITTO[shape])
            ratio = statistics.median(other["cpu_us"] / ours["cpu_us"] for ours, other in taken)
            figures[f"{shape}.of_mosquitto_by_cpu"] = ratio
            figures |= counted(shape, [ours for ours, _ in taken])
    return figures


def latency(place: Site, extent: Extent) -> Figures:
    """Measure how long acknowledgements take at a steady pace."""
    found = held(place, "mqtt_paced", PACED_CONNECTIONS, PACED_PER_S, extent.seconds)
    figures: dict[str, object] = {
        f"latency.{name}": found[name]
        for name in ("per_s", "cpu_us", "p50_ms", "most_ms", "longest_turn_ms", "lost")
    }
    figures |= bar("latency.p95_ms", found["p95_ms"], most=MOST_P95_MS)
    figures |= bar("latency.p99_ms", found["p99_ms"], most=MOST_P99_MS)
    return figures | counted("latency", [found])


def idle(place: Site, extent: Extent) -> Figures:
    """Measure the memory of connections that say nothing."""
    found = held(place, "mqtt_idle", extent.idle, extent.seconds)
    figures: dict[str, object] = {"idle.connections": extent.idle}
    for name in ("empty_mb", "connected_mb", "idle_cpu_percent", "connect_s", "connect_cpu_us"):
        figures[f"idle.{name}"] = found[name]
    figures["idle.lost"] = found["lost"]
    figures |= bar("idle.idle_mb", found["idle_mb"], most=MOST_IDLE_MB)
    return figures | counted("idle", [found])


def http(place: Site, extent: Extent) -> Figures:
    """Measure batches over HTTP."""
    port = place.settings.port("gateway_http")
    found = held(place, "http_load", HTTP_CONNECTIONS, extent.seconds, port=port)
    figures: dict[str, object] = {f"http.{name}": found[name] for name in ("per_s", "cpu_us")}
    figures |= bar("http.per_core_s", found["per_core_s"], least=LEAST_HTTP_PER_CORE_S)
    return figures | counted("http", [found])


def bar(
    name: str, value: float, *, least: float | None = None, most: float | None = None
) -> dict[str, object]:
    """Return a figure with its limit, and whether it is met."""
    is_met = (least is None or value >= least) and (most is None or value <= most)
    return {name: value, f"{name}.limit": least if most is None else most, f"{name}.met": is_met}


def counted(name: str, runs: list[Found]) -> dict[str, object]:
    """Return what was sent and acknowledged, and how much of that Kafka does not hold."""
    return {
        f"{name}.{figure}": int(sum(run[figure] for run in runs))
        for figure in ("sent", "acked", "missing")
    }


PARTS: dict[str, Callable[[Site, Extent], Figures]] = {
    "throughput": throughput,
    "latency": latency,
    "idle": idle,
    "http": http,
}


def main() -> None:
    """Measure and report."""
    arguments = parser("the gateway beside mosquitto")
    arguments.add_argument("--only", choices=PARTS, action="append", help="this part, or these")
    arguments.add_argument("--rounds", type=int, default=3, help="of gateway and mosquitto")
    arguments.add_argument("--seconds", type=float, default=10.0, help="of each load")
    arguments.add_argument("--idle", type=int, default=MOST_CONNECTIONS, help="idle connections")
    given = arguments.parse_args()
    extent = Extent(given.seconds, given.rounds, given.idle)
    figures: dict[str, object] = {}
    for part in given.only or PARTS:
        with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as place:
            figures |= PARTS[part](place, extent)
    report("gateway", figures, given.out)


if __name__ == "__main__":
    main()
