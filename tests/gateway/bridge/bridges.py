"""A bridge as a process of its own, before a mosquitto and a Kafka."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base


class BridgeProcess:
    """`python -m gateway.bridge` on a home of its own."""

    def __init__(self, home: Path, bootstrap: str, broker_url: str, **environment: str) -> None:
        home.mkdir(exist_ok=True)
        self.settings = Settings(home=home, port_base=free_port_base())
        self._environment = {
            **os.environ,
            "HEADWATER_HOME": str(home),
            "HEADWATER_PORT_BASE": str(self.settings.port_base),
            "HEADWATER_KAFKA": bootstrap,
            "HEADWATER_BRIDGE_BROKER": broker_url,
            **environment,
        }
        self.log = home / "bridge.log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.bridge"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def complaint(self) -> str | None:
        """Return what it complains of, in its own words, or that it does not answer."""
        try:
            found = httpx.get(f"{self.url}/health", timeout=5).json()
        except httpx.TransportError:
            return "no answer"
        complaint = found["complaint"]
        return None if complaint is None else str(complaint)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port('bridge')}"

    def count(self, name: str) -> int:
        """Return one of its counters, over all labels."""
        lines = httpx.get(f"{self.url}/metrics", timeout=5).text.splitlines()
        start = f"headwater_gateway_{name}_total"
        return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith(start))

    def wait_for(self, words: str | None, within_s: float = 60.0) -> None:
        """Wait until its complaint holds these words; None: until it has none."""
        give_up = time.monotonic() + within_s
        while True:
            found = self.complaint()
            if found == words or (words and found and words in found):
                return
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up, (found, self.log.read_text())
            time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.terminate()
        return self.process.wait(30)
