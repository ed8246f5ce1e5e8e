"""A closed loop of MQTT clients: always so many messages of each on their way, QoS 1."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

import uvloop

from benchmarks.gateway_site import cpu_s
from benchmarks.mqtt_fleet import Client, Target, connected

WARM_S = 1.0
DRAINED_WITHIN_S = 30.0


@dataclass
class Tally:
    """What all clients have sent and seen."""

    sent: int = 0
    acked: int = 0
    latencies: list[float] = field(default_factory=list)
    is_timed: bool = False
    is_over: bool = False


class Busy(Client):
    """A device that answers each acknowledgement with the next message."""

    def __init__(self, number: int, key: bytes, depth: int, tally: Tally) -> None:
        super().__init__(number, key)
        self._depth = depth
        self._tally = tally
        self._sent_at = 0.0
        self._many = {count: self.packet * count for count in range(1, depth + 1)}

    def begin(self) -> None:
        """Send the first messages."""
        self._sent_at = time.perf_counter()
        self._send(self._depth)

    def acknowledged(self, count: int) -> None:
        """Send as many again."""
        tally = self._tally
        tally.acked += count
        if self._depth == 1:
            now = time.perf_counter()
            if tally.is_timed:
                tally.latencies.append(now - self._sent_at)
            self._sent_at = now
        if not tally.is_over:
            self._send(count)

    def _send(self, count: int) -> None:
        self._tally.sent += count
        self.transport.write(self._many[count])


async def load(target: Target, connections: int, depth: int, seconds: float) -> dict[str, float]:
    """Run a fleet against a server; return messages a second, CPU time and latencies."""
    tally = Tally()
    clients = await connected(
        lambda number: Busy(number, target.key, depth, tally), target.port, connections
    )
    for client in clients:
        client.begin()
    await asyncio.sleep(WARM_S)
    tally.is_timed = True
    before, started = tally.acked, time.perf_counter()
    own, theirs = time.process_time(), cpu_s(target.pid)
    await asyncio.sleep(seconds)
    done, took = tally.acked - before, time.perf_counter() - started
    own, theirs = time.process_time() - own, cpu_s(target.pid) - theirs
    tally.is_over, tally.is_timed = True, False
    await _drained(tally)
    latencies = sorted(tally.latencies) or [0.0]
    return {
        "per_s": done / took,
        "cpu_us": theirs / max(done, 1) * 1e6,
        "load_cpu_us": own / max(done, 1) * 1e6,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p95_ms": latencies[int(len(latencies) * 0.95)] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "lost": sum(client.is_lost for client in clients),
        "sent": tally.sent,
        "acked": tally.acked,
    }


async def _drained(tally: Tally) -> None:
    """Wait for the answers that are due."""
    give_up = time.monotonic() + DRAINED_WITHIN_S
    while tally.acked < tally.sent and time.monotonic() < give_up:
        await asyncio.sleep(0.05)


def main() -> None:
    """Run by the command line: port, pid, key, connections, depth, seconds."""
    target, numbers = Target.read(*sys.argv[1:4]), sys.argv[4:]
    run = load(target, int(numbers[0]), int(numbers[1]), float(numbers[2]))
    print(json.dumps(uvloop.run(run)))  # noqa: T201


if __name__ == "__main__":
    main()
