"""A registry as a process of its own, asked over HTTP as its commands ask it."""

import os
import subprocess
import sys
import time

import httpx

from telemetry.settings import Settings


class RegistryProcess:
    """`python -m services.registry` on a home, before a broker somewhere."""

    def __init__(self, settings: Settings) -> None:
        settings.home.mkdir(exist_ok=True)
        self._settings = settings
        environment = {
            **os.environ,
            "HEADWATER_HOME": str(settings.home),
            "HEADWATER_PORT_BASE": str(settings.port_base),
            "HEADWATER_KAFKA": settings.kafka_bootstrap,
        }
        self._log = settings.home / "registry.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.registry"], env=environment, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        give_up = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < give_up, self._log.read_text()
            try:
                self.asks("GET", "devices")
                return
            except (httpx.TransportError, FileNotFoundError):
                time.sleep(0.1)

    def asks(self, method: str, path: str, **said: object) -> dict[str, object]:
        """Ask as its first admin."""
        key = self._settings.registry_admin_key_file.read_text().strip()
        answer = httpx.request(
            method,
            f"{self._settings.registry_address}/v1/{path}",
            headers={"Authorization": f"Bearer {key}"},
            json=said if method in ("PUT", "POST", "PATCH") else None,
        )
        assert answer.is_success, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def enrolled(self, device_full: str) -> tuple[str, bytes]:
        """Enrol a device; return its secret's id and the secret."""
        self.asks("PUT", f"devices/{device_full}")
        issued = self.asks("POST", f"devices/{device_full}/credentials")
        return str(issued["credential_id"]), str(issued["secret"]).encode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
