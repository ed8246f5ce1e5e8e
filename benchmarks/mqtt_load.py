"""A closed loop of MQTT clients: always so many messages of each on their way, QoS 1.

Packets are encoded before the load begins, and sockets are read and written without a framework:
the load shares its machine with what it measures, so that each of its microseconds would count
against the server.
"""

import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.gateway_site import cpu_s
from benchmarks.mqtt_fleet import PUBACK_BYTES, Target, let_in, messages
from edge.open_files import allow_open_files

WARM_S = 1.0
DRAINED_WITHIN_S = 30.0
LEAST_DIFFERENT = 16
MOST_READ = 4096


@dataclass(slots=True)
class Busy:
    """A device: its packets in a ring, twice, so that any run of them is one slice."""

    socket: socket.socket
    ring: memoryview
    step: int
    around: int
    """Bytes of the ring, once."""
    at: int = 0
    rest: int = 0
    sent_at: float = 0.0

    def take(self, count: int) -> memoryview:
        """Return the next `count` packets."""
        begin = self.at
        end = begin + count * self.step
        self.at = end % self.around
        return self.ring[begin:end]


@dataclass(slots=True)
class Tally:
    """What all devices have sent and seen; latencies in seconds, of one message on its way."""

    sent: int = 0
    acked: int = 0
    lost: int = 0
    is_over: bool = False
    latencies: list[float] | None = None


@dataclass(slots=True)
class Fleet:
    """All devices of a load, and what they wait on."""

    depth: int
    devices: dict[int, Busy] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    waits: select.epoll = field(default_factory=select.epoll)

    def begin(self) -> None:
        """Send the first messages."""
        for number, device in self.devices.items():
            self.waits.register(number, select.EPOLLIN)
            os.write(number, device.take(self.depth))
            device.sent_at = time.perf_counter()
            self.tally.sent += self.depth

    def run(self, until: float, is_done: Callable[[], bool]) -> None:
        """Answer each acknowledgement with the next message, until then or until it is done."""
        poll = self.waits.poll
        while time.perf_counter() < until and not is_done():
            for number, _ in poll(0.05):
                self._heard(number, self.devices[number])

    def _heard(self, number: int, device: Busy) -> None:
        tally, data = self.tally, os.read(number, MOST_READ)
        if not data:
            tally.lost += 1
            self.waits.unregister(number)
            return
        count, device.rest = divmod(len(data) + device.rest, PUBACK_BYTES)
        tally.acked += count
        if self.depth == 1:
            now = time.perf_counter()
            if tally.latencies is not None:
                tally.latencies.append(now - device.sent_at)
            device.sent_at = now
        if count and not tally.is_over:
            tally.sent += count
            os.write(number, device.take(count))


def connected(target: Target, connections: int, depth: int) -> Fleet:
    """Have all devices let in, and their packets encoded."""
    allow_open_files(connections)
    fleet = Fleet(depth)
    for number in range(connections):
        opened = let_in(target, number)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        packets = messages(number, max(depth, LEAST_DIFFERENT))
        around = b"".join(packets)
        ring = memoryview(around + around)
        fleet.devices[opened.fileno()] = Busy(opened, ring, len(packets[0]), len(around))
    return fleet


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds so far of the server, of the store behind it, and of the load."""

    server: float
    store: float
    load: float

    @classmethod
    def now(cls, target: Target, store_pid: int) -> "Spent":
        """Read all three."""
        store = cpu_s(store_pid) if store_pid else 0.0
        return cls(cpu_s(target.pid), store, time.process_time())


def load(fleet: Fleet, target: Target, seconds: float, store_pid: int) -> dict[str, float]:
    """Run a fleet against a server; return messages a second, CPU time and latencies."""
    tally = fleet.tally
    fleet.begin()
    fleet.run(time.perf_counter() + WARM_S, lambda: False)
    tally.latencies = []
    before, started = tally.acked, time.perf_counter()
    spent = Spent.now(target, store_pid)
    fleet.run(started + seconds, lambda: False)
    done, took = max(tally.acked - before, 1), time.perf_counter() - started
    ended = Spent.now(target, store_pid)
    latencies = sorted(tally.latencies) or [0.0]
    tally.latencies, tally.is_over = None, True
    fleet.run(time.perf_counter() + DRAINED_WITHIN_S, lambda: tally.acked >= tally.sent)
    server_s, load_s = ended.server - spent.server, ended.load - spent.load
    return {
        "per_s": done / took,
        "cpu_us": server_s / done * 1e6,
        "store_cpu_us": (ended.store - spent.store) / done * 1e6,
        "load_cpu_us": load_s / done * 1e6,
        "busy": server_s / took,
        "load_busy": load_s / took,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p95_ms": latencies[int(len(latencies) * 0.95)] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "lost": tally.lost,
        "sent": tally.sent,
        "acked": tally.acked,
    }


def main() -> None:
    """Run by the command line: port, pid, key, connections, depth, seconds, store's pid or 0."""
    target, numbers = Target.read(*sys.argv[1:4]), sys.argv[4:]
    fleet = connected(target, int(numbers[0]), int(numbers[1]))
    found = load(fleet, target, float(numbers[2]), int(numbers[3]))
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
