"""The limit of `produce`: librdkafka in a bare loop, one payload, no headers, no ledger."""

import json
import sys
import time

from confluent_kafka import Producer

from edge.kafka import PRODUCER_CONFIG
from telemetry.topics import TELEMETRY

KEYS = [b"meter.meter-%05d" % number for number in range(1000)]


def send(bootstrap: str, size: int, seconds: float) -> dict[str, float]:
    """Send payloads of `size` bytes for a time, and return the figures that the simulator has."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_CONFIG})
    producer.list_topics(timeout=10)
    payload = (b'{"v":1,"ts":"2026-11-21T08:00:00.123Z","metrics":{"energy":12345.678}}' * 99)[
        :size
    ]
    started, cpu_started = time.monotonic(), time.process_time()
    sent = 0
    while time.monotonic() - started < seconds:
        for key in KEYS:
            try:
                producer.produce(TELEMETRY.name, value=payload, key=key)
                sent += 1
            except BufferError:
                producer.poll(0.01)
        producer.poll(0)
    waiting = producer.flush()
    return {
        "sent": sent,
        "acked": sent - waiting,
        "records": sent,
        "bytes": sent * size,
        "cpu_s": time.process_time() - cpu_started,
        "messages_per_s": sent / (time.monotonic() - started),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
