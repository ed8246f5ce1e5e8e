"""A real broker for tests, killed and started again as they need."""

import atexit
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from infra.kafka.broker import kafka_service, prepare
from infra.kafka.topics import broker_complaint, create_topics
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

RELAYED = """\
listeners=PLAINTEXT://127.0.0.1:{own},RELAYED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{last}
advertised.listeners=PLAINTEXT://127.0.0.1:{own},RELAYED://127.0.0.1:{relay}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
"""
UP_WITHIN_S = 180.0
"""On a machine that does much else, a broker that was killed takes more than a minute."""


class Broker:
    """A broker of this test's own."""

    def __init__(self, home: Path, *, relay_port: int | None = None) -> None:
        """Have clients that come by `relayed_port` go on by `relay_port`, where a test listens."""
        self.settings = Settings(home=home, port_base=free_port_base(), kafka_heap_mb=256)
        shutil.copytree(_formatted(), home / "kafka" / "data")
        prepare(self.settings)
        if relay_port is not None:
            self._open_relayed(relay_port)
        self.process = self._started()

    @property
    def relayed_port(self) -> int:
        return self.settings.port("trino")

    def _open_relayed(self, relay_port: int) -> None:
        ports = {name: self.settings.port(name) for name in ("kafka", "kafka_controller")}
        with (self.settings.home / "kafka" / "server.properties").open("a") as properties:
            properties.write(
                RELAYED.format(
                    own=ports["kafka"],
                    behind=self.relayed_port,
                    last=ports["kafka_controller"],
                    relay=relay_port,
                )
            )

    def _started(self) -> "subprocess.Popen[bytes]":
        command = kafka_service(self.settings).command()
        log = (self.settings.home / "kafka.log").open("ab")
        process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        try:
            self._wait_until_up(process)
        except BaseException:
            process.kill()
            raise
        return process

    def _wait_until_up(self, process: "subprocess.Popen[bytes]") -> None:
        give_up = time.monotonic() + UP_WITHIN_S
        while broker_complaint(self.settings.kafka_bootstrap):
            assert process.poll() is None, (self.settings.home / "kafka.log").read_text()
            assert time.monotonic() < give_up, f"the broker is not up after {UP_WITHIN_S} s"
            time.sleep(0.2)
        assert create_topics(self.settings.kafka_bootstrap) is None

    def kill(self) -> None:
        """End the broker without asking."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start it again over what it had stored."""
        self.process = self._started()

    def begin_anew(self) -> None:
        """Have every topic be one that nobody has written to, whatever was done before."""
        if self.process.poll() is not None:
            self.restart()
        with closing(KafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)) as admin:
            topics = {name for name in admin.list_topics() if not name.startswith("__")}
            admin.delete_topics([*topics])
            give_up = time.monotonic() + UP_WITHIN_S
            while topics & set(admin.list_topics()):
                assert time.monotonic() < give_up, "topics are not deleted"
                time.sleep(0.05)
        assert create_topics(self.settings.kafka_bootstrap) is None


@cache
def _formatted() -> Path:
    """Return a storage for brokers to copy: what formats it is a JVM of its own."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-kafka-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    prepare(Settings(home=folder, port_base=free_port_base()))
    return folder / "kafka" / "data"


@contextmanager
def running(home: Path) -> Iterator[Broker]:
    """Run a broker; skip where Kafka is not there."""
    if not (Settings().kafka_dir / "libs").is_dir():
        pytest.skip("Kafka is not fetched: headwater fetch kafka")
    found = Broker(home)
    try:
        yield found
    finally:
        found.kill()
