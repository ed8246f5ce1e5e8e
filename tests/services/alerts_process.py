"""The alerts service as a process, beside a broker."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from telemetry.settings import Settings


@contextmanager
def alerts_process(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the service, and yield it once it answers; end it gently unless it is gone."""
    environment = {
        "HEADWATER_HOME": str(settings.home),
        "HEADWATER_PORT_BASE": str(settings.port_base),
        "MALLOC_ARENA_MAX": "2",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    log_path = settings.home / "alerts.log"
    with log_path.open("ab") as log:
        command = (sys.executable, "-m", "services.alerts")
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{settings.port('alerts')}/health"
        give_up = time.monotonic() + 60
        while not _answers(url):
            assert process.poll() is None, log_path.read_text()
            assert time.monotonic() < give_up, log_path.read_text()
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(40)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
