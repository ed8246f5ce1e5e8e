"""HTTP clients that post batches, a thousand messages a request, one after the other on each."""

import asyncio
import json
import sys
import time

import uvloop

from benchmarks.gateway_site import cpu_s
from benchmarks.mqtt_fleet import HOST, Target, body
from telemetry.local_tokens import local_token

LINES = 1_000
WARM_S = 1.0
REQUEST = (
    "POST /devices/{name}/telemetry HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\n"
    "Content-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n"
)


class Tally:
    """Messages that were sent and accepted."""

    def __init__(self) -> None:
        self.sent = self.accepted = 0
        self.is_over = False


def request(name: str, key: bytes) -> bytes:
    """Return a request of a device, as it goes over the wire."""
    lines = b"".join(body(number) + b"\n" for number in range(LINES))
    token = local_token(key, name, now=time.time())
    return REQUEST.format(name=name, token=token, length=len(lines)).encode() + lines


async def post(port: int, data: bytes, tally: Tally) -> None:
    """Post the same batch until it is over."""
    reader, writer = await asyncio.open_connection(HOST, port)
    while not tally.is_over:
        tally.sent += LINES
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        answer = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 202"):
            raise SystemExit(f"refused: {head!r} {answer!r}")
        tally.accepted += int(json.loads(answer)["accepted"])
    writer.close()


async def load(target: Target, connections: int, seconds: float) -> dict[str, float]:
    """Post by so many connections; return messages a second, and the server's CPU time of each."""
    tally = Tally()
    posting = [
        asyncio.create_task(post(target.port, request(f"h{number}", target.key), tally))
        for number in range(connections)
    ]
    await asyncio.sleep(WARM_S)
    before, started, theirs = tally.accepted, time.perf_counter(), cpu_s(target.pid)
    await asyncio.sleep(seconds)
    done, took = tally.accepted - before, time.perf_counter() - started
    theirs = cpu_s(target.pid) - theirs
    tally.is_over = True
    await asyncio.gather(*posting)
    return {
        "per_s": done / took,
        "cpu_us": theirs / max(done, 1) * 1e6,
        "per_core_s": done / max(theirs, 1e-9),
        "sent": tally.sent,
        "acked": tally.accepted,
    }


def main() -> None:
    """Run by the command line: port, pid, key, connections, seconds."""
    target, numbers = Target.read(*sys.argv[1:4]), sys.argv[4:]
    run = load(target, int(numbers[0]), float(numbers[1]))
    print(json.dumps(uvloop.run(run)))  # noqa: T201


if __name__ == "__main__":
    main()
