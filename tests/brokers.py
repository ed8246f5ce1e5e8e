"""A real broker for tests, killed and started again as they need."""

import subprocess
import time
from pathlib import Path

from infra.kafka.broker import kafka_service, prepare
from infra.kafka.topics import broker_complaint, create_topics
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base


class Broker:
    """A broker of this test's own."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, port_base=free_port_base(), kafka_heap_mb=256)
        prepare(self.settings)
        self.process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        command = kafka_service(self.settings).command()
        log = (self.settings.home / "kafka.log").open("ab")
        process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        give_up = time.monotonic() + 60
        while broker_complaint(self.settings.kafka_bootstrap):
            assert process.poll() is None, (self.settings.home / "kafka.log").read_text()
            assert time.monotonic() < give_up, "the broker is not up after 60 s"
            time.sleep(0.2)
        assert create_topics(self.settings.kafka_bootstrap) is None
        return process

    def kill(self) -> None:
        """End the broker without asking."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start it again over what it had stored."""
        self.process = self._started()
