"""A gateway as a process of its own, killed and started again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base


class GatewayProcess:
    """`python -m gateway` on a home and ports of its own, before a broker somewhere."""

    def __init__(self, home: Path, bootstrap: str, **environment: str) -> None:
        home.mkdir(exist_ok=True)
        self.settings = Settings(home=home, port_base=free_port_base(), kafka=bootstrap)
        self._environment = {
            **os.environ,
            "HEADWATER_HOME": str(home),
            "HEADWATER_PORT_BASE": str(self.settings.port_base),
            "HEADWATER_KAFKA": bootstrap,
            "HEADWATER_GATEWAY_DEVELOPMENT": "anonymous",
            **environment,
        }
        self._log = home / "gateway.log"
        self.process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "gateway"], env=self._environment, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        give_up = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < give_up, self._log.read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        """Where it speaks HTTP."""
        return f"http://127.0.0.1:{self.port('http')}"

    def port(self, protocol: str) -> int:
        return self.settings.port(f"gateway_{protocol}")

    def kill(self) -> None:
        """End it without asking."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again once it is dead."""
        self.process.wait(10)
        self.process = self._started()
        self.wait_until_ready()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
