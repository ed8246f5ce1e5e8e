"""A fleet of MQTT clients in one process, as cheap as Python makes it: QoS 1, always so many
messages on their way on each connection; counts what is acknowledged.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

from edge.mqtt.encoding import encode
from edge.mqtt.packets import Connect, Publish
from edge.mqtt.wire import V311

BODY = (
    b'{"v":1,"ts":"2026-11-21T08:00:00.123Z","boot":"b7","seq":%d,"metrics":{"temperature":21.4,'
    b'"door_open":true,"state":"idle","humidity":40.25,"pressure":1013.2}}'
)
PUBACK_BYTES = 4
CONNACK_BYTES = 4


@dataclass
class Tally:
    """What all clients have seen."""

    acked: int = 0
    connected: int = 0
    lost: int = 0
    latencies: list[float] = field(default_factory=list)
    is_timed: bool = False


class Client(asyncio.Protocol):
    """One device: it answers each acknowledgement with the next message."""

    def __init__(self, number: int, depth: int, tally: Tally) -> None:
        self._number = number
        self._depth = depth
        self._tally = tally
        self._unread = CONNACK_BYTES
        self._is_in = False
        self._sent_at = 0.0
        topic = f"devices/d{number}/telemetry"
        body = BODY % 1_000_000_000
        packet = encode(Publish(topic, body, 1, 1), V311)
        self._packet = packet
        self._many = {count: packet * count for count in range(1, depth + 1)}
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        name = f"d{self._number}"
        connect = Connect(V311, name, keep_alive_s=600, username=name, password=b"token")
        self.transport.write(encode(connect, V311))

    def data_received(self, data: bytes) -> None:
        tally = self._tally
        if not self._is_in:
            self._is_in = True
            tally.connected += 1
            data = data[CONNACK_BYTES:]
        done, left = divmod(len(data) + self._unread - CONNACK_BYTES, PUBACK_BYTES)
        self._unread = CONNACK_BYTES + left
        if not done:
            return
        tally.acked += done
        if tally.is_timed:
            now = time.perf_counter()
            tally.latencies.append(now - self._sent_at)
            self._sent_at = now
        self.transport.write(self._many.get(done) or self._packet * done)

    def begin(self) -> None:
        """Send the first messages."""
        self._sent_at = time.perf_counter()
        self.transport.write(self._many[self._depth])

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost += 1


async def load(port: int, connections: int, depth: int, seconds: float) -> dict[str, float]:
    """Run a fleet, and return messages a second and latencies."""
    tally, loop = Tally(), asyncio.get_running_loop()
    clients: list[Client] = []
    for first in range(0, connections, 100):
        made = [
            loop.create_connection(lambda n=n: Client(n, depth, tally), "127.0.0.1", port)  # type: ignore[misc]
            for n in range(first, min(first + 100, connections))
        ]
        clients += [client for _, client in await asyncio.gather(*made)]
    while tally.connected < connections:
        await asyncio.sleep(0.05)
        if tally.lost:
            raise SystemExit(f"{tally.lost} connections lost")
    for client in clients:
        client.begin()
    await asyncio.sleep(1.0)
    tally.is_timed = depth == 1
    before, started, cpu = tally.acked, time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - started
    done = tally.acked - before
    latencies = sorted(tally.latencies) or [0.0]
    return {
        "connections": connections,
        "depth": depth,
        "per_s": done / took,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p95_ms": latencies[int(len(latencies) * 0.95)] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "load_cpu_us": (time.process_time() - cpu) / max(done, 1) * 1e6,
        "lost": tally.lost,
        "all_acked": tally.acked,
    }


if __name__ == "__main__":
    port, connections, depth = (int(argument) for argument in sys.argv[1:4])
    print(json.dumps(uvloop.run(load(port, connections, depth, float(sys.argv[4])))))  # noqa: T201
