"""Devices imported into a registry over HTTP by the command that people use.

A new home, SQLite, no Kafka: the first import, the same again, and one that issues a secret to each
device. `make bench BENCH=registry OUT=build/registry.json`
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from benchmarks.report import Figures, parser, report
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

LIMIT_S = 60.0
PRODUCT = {"product": "meter", "versions": [{"version": 1, "metrics": {"kwh": {"unit": "kWh"}}}]}


def run(devices: int) -> Figures:
    """Import a fleet three times."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home, port_base=free_port_base())
        environment = {
            **os.environ,
            "HEADWATER_HOME": folder,
            "HEADWATER_PORT_BASE": str(settings.port_base),
        }
        (home / "meter.json").write_bytes(orjson.dumps(PRODUCT))
        (home / "fleet.csv").write_text(_fleet(devices))
        with _registry(settings, environment):
            _headwater(environment, "product", "add", str(home / "meter.json"))
            fleet = ("device", "import", str(home / "fleet.csv"), "--product", "meter")
            figures = {
                "devices": devices,
                "first_s": _headwater(environment, *fleet),
                "first_s_limit": LIMIT_S,
                "again_s": _headwater(environment, *fleet),
                "secrets_s": _headwater(environment, *fleet, "--secrets", str(home / "secrets")),
            }
        with (home / "secrets").open("rb") as secrets:
            assert sum(1 for _ in secrets) == devices + 1
        return figures


def _fleet(devices: int) -> str:
    lines = (f"m{n},zone-{n % 100},48.{n % 1000:03},11.{n % 1000:03},1.0" for n in range(devices))
    return "device,zone,lat,lng,firmware\n" + "\n".join(lines) + "\n"


def _headwater(environment: dict[str, str], *arguments: str) -> float:
    """Run a command, and return how long it took."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "infra.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HeadwaterError(done.stderr)
    return time.perf_counter() - started


@contextmanager
def _registry(settings: Settings, environment: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "services.registry", "--without-kafka"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{settings.port('registry')}/health")
        yield
    finally:
        process.terminate()
        process.wait()


def _wait(url: str) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise HeadwaterError("the registry does not start")


def main() -> None:
    """Measure and report."""
    arguments = parser("devices imported over HTTP")
    arguments.add_argument("--devices", type=int, default=100_000)
    given = arguments.parse_args()
    report("registry", run(given.devices), given.out)


if __name__ == "__main__":
    main()
