"""MQTT clients that send at a pace whatever the answers do: how long until each message's answer.

A message's time runs from when it was due, so a stall counts for all that it held up.
"""

import asyncio
import json
import sys
import time
from array import array
from collections import deque
from dataclasses import dataclass, field

import uvloop

from benchmarks.gateway_site import cpu_s
from benchmarks.mqtt_fleet import Client, Target, connected

WARM_S = 2.0
EVERY_S = 0.001
DRAINED_WITHIN_S = 30.0


@dataclass
class Tally:
    """What all clients have sent and seen; latencies in seconds of messages due after `since`."""

    sent: int = 0
    acked: int = 0
    since: float = float("inf")
    latencies: "array[float]" = field(default_factory=lambda: array("d"))


class Paced(Client):
    """A device that sends when told."""

    def __init__(self, number: int, key: bytes, tally: Tally) -> None:
        super().__init__(number, key)
        self._tally = tally
        self._due: deque[float] = deque()

    def send(self, due: float) -> None:
        """Send a message that was due then."""
        self._tally.sent += 1
        self._due.append(due)
        self.transport.write(self.packet)

    def acknowledged(self, count: int) -> None:
        """Note how long so many messages took; answers come in the messages' order."""
        tally, now = self._tally, time.perf_counter()
        tally.acked += count
        for _ in range(count):
            due = self._due.popleft()
            if due >= tally.since:
                tally.latencies.append(now - due)


async def paced(target: Target, connections: int, per_s: float, seconds: float) -> dict[str, float]:
    """Send `per_s` messages a second in turns over all connections, and return latencies."""
    tally = Tally()
    clients = await connected(
        lambda number: Paced(number, target.key, tally), target.port, connections
    )
    started = time.perf_counter()
    tally.since = started + WARM_S
    most, late = int((WARM_S + seconds) * per_s), 0.0
    theirs = 0.0
    while tally.sent < most:
        now = time.perf_counter()
        if not theirs and now >= tally.since:
            theirs, before = cpu_s(target.pid), tally.acked
        for number in range(tally.sent, min(int((now - started) * per_s) + 1, most)):
            clients[number % connections].send(started + number / per_s)
        late = max(late, time.perf_counter() - now)
        await asyncio.sleep(EVERY_S)
    theirs, counted = cpu_s(target.pid) - theirs, tally.acked - before
    give_up = time.monotonic() + DRAINED_WITHIN_S
    while tally.acked < tally.sent and time.monotonic() < give_up:
        await asyncio.sleep(0.05)
    latencies = sorted(tally.latencies) or [0.0]
    return {
        "per_s": len(latencies) / seconds,
        "cpu_us": theirs / max(counted, 1) * 1e6,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p95_ms": latencies[int(len(latencies) * 0.95)] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "most_ms": latencies[-1] * 1000,
        "longest_turn_ms": late * 1000,
        "lost": sum(client.is_lost for client in clients),
        "sent": tally.sent,
        "acked": tally.acked,
    }


def main() -> None:
    """Run by the command line: port, pid, key, connections, messages a second, seconds."""
    target, numbers = Target.read(*sys.argv[1:4]), sys.argv[4:]
    run = paced(target, int(numbers[0]), float(numbers[1]), float(numbers[2]))
    print(json.dumps(uvloop.run(run)))  # noqa: T201


if __name__ == "__main__":
    main()
