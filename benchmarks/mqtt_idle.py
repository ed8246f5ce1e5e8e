"""MQTT clients that have said something once, and then nothing: what the server holds for them."""

import asyncio
import json
import sys
import time

import uvloop

from benchmarks.gateway_site import cpu_s, pss_mb
from benchmarks.mqtt_fleet import Client, Target, connected

ANSWERED_WITHIN_S = 60.0
EVERY = 200


class Quiet(Client):
    """A device that sends one message."""

    def __init__(self, number: int, key: bytes) -> None:
        super().__init__(number, key)
        self.acked = 0

    def acknowledged(self, count: int) -> None:
        """Count."""
        self.acked += count


async def idle(target: Target, connections: int, seconds: float) -> dict[str, float]:
    """Connect, say one thing each, be quiet; return the server's memory in MiB at each step."""
    empty_mb, started = pss_mb(target.pid), time.perf_counter()
    before = cpu_s(target.pid)
    clients = await connected(lambda number: Quiet(number, target.key), target.port, connections)
    connect_s, connect_cpu_s = time.perf_counter() - started, cpu_s(target.pid) - before
    connected_mb = pss_mb(target.pid)
    for number, client in enumerate(clients):
        client.transport.write(client.packet)
        if number % EVERY == 0:
            await asyncio.sleep(0)
    give_up = time.monotonic() + ANSWERED_WITHIN_S
    while sum(client.acked for client in clients) < connections and time.monotonic() < give_up:
        await asyncio.sleep(0.05)
    before = cpu_s(target.pid)
    await asyncio.sleep(seconds)
    return {
        "empty_mb": empty_mb,
        "connected_mb": connected_mb,
        "idle_mb": pss_mb(target.pid),
        "idle_cpu_percent": (cpu_s(target.pid) - before) / seconds * 100,
        "connect_s": connect_s,
        "connect_cpu_us": connect_cpu_s / connections * 1e6,
        "lost": sum(client.is_lost for client in clients),
        "sent": connections,
        "acked": sum(client.acked for client in clients),
    }


def main() -> None:
    """Run by the command line: port, pid, key, connections, seconds."""
    target, numbers = Target.read(*sys.argv[1:4]), sys.argv[4:]
    run = idle(target, int(numbers[0]), float(numbers[1]))
    print(json.dumps(uvloop.run(run)))  # noqa: T201


if __name__ == "__main__":
    main()
