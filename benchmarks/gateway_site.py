"""A broker, the gateway before it and mosquitto beside it, as processes of their own."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
from confluent_kafka import Consumer, TopicPartition

from edge.local_key import local_key
from edge.open_files import allow_open_files
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY
from tests.brokers import Broker
from tests.end_to_end.stack import free_port_base
from tests.gateway.kills.gateways import GatewayProcess

MOST_CONNECTIONS = 10_000
MOSQUITTO = """listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
"""
MB = 1024 * 1024


class Server(NamedTuple):
    """What is measured; `key` signs the tokens by which devices come, empty where any may."""

    name: str
    port: int
    pid: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """The gateway over its broker."""

    settings: Settings
    gateway: Server
    kafka: str
    kafka_pid: int

    def held(self) -> int:
        """Return how many records the topic of telemetry holds, as the broker says."""
        ours = {"bootstrap.servers": self.kafka, "group.id": "bench", "log_level": 0}
        consumer = Consumer({**ours, "enable.auto.commit": False})
        try:
            parts = [TopicPartition(TELEMETRY.name, n) for n in range(TELEMETRY.partitions)]
            return sum(consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts)
        finally:
            consumer.close()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Start broker and gateway, and end them."""
    allow_open_files(MOST_CONNECTIONS)
    broker = Broker(folder / "broker")
    gateway = None
    try:
        kafka = broker.settings.kafka_bootstrap
        gateway = GatewayProcess(folder / "home", kafka, HEADWATER_GATEWAY_DEVELOPMENT="off")
        gateway.wait_until_ready()
        settings = gateway.settings
        key = local_key(settings.gateway_dir).hex()
        pid = gateway.process.pid
        server = Server("gateway", gateway.port("mqtt"), pid, key)
        yield Site(settings, server, kafka, broker.process.pid)
    finally:
        if gateway is not None:
            gateway.close()
        broker.kill()


@contextmanager
def mosquitto(folder: Path) -> Iterator[Server]:
    """Start mosquitto, which keeps nothing and lets anybody in."""
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


def cpu_s(pid: int) -> float:
    """Return the CPU time so far of a process and all below it, all their threads, in seconds."""
    process = psutil.Process(pid)
    every = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(times.user + times.system for times in every))


def pss_mb(pid: int) -> float:
    """Return a process's proportional set size in MiB."""
    return float(psutil.Process(pid).memory_full_info().pss) / MB
