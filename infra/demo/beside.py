"""What the demo starts beside itself: its fleet, and services that first rows do without."""

import os
import subprocess
import sys
from pathlib import Path

from infra.processes import DEMO_MARK
from infra.services import service_names
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

FIRST = ("kafka", "streams")
LAST = "superset"
LASTS = "10y"
"""A demo goes on until somebody ends it."""


def first_services(settings: Settings) -> str:
    """Return what a fleet needs, as `up --only` takes it: not all of it is part of each stack."""
    there = service_names(settings, "full")
    return ",".join([name for name in FIRST if name in there] or there[:1])


def fleet_words(devices: int, rate: int, ledger: Path) -> list[str]:
    """Return what the simulator is asked for."""
    numbers = ["--devices", str(devices), "--rate", str(rate), "--seed", "7"]
    return ["simulate", "mixed", "--for", LASTS, *numbers, "--ledger", str(ledger)]


class Beside:
    """Processes that end with the demo, and with its stack."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._marked = {**os.environ, DEMO_MARK: str(settings.home)}
        self._fleet: subprocess.Popen[bytes] | None = None
        self._rest: subprocess.Popen[bytes] | None = None
        self._last: subprocess.Popen[bytes] | None = None

    def start_fleet(self, devices: int, rate: int, ledger: Path) -> None:
        """Start the simulator in a session of its own, so that Ctrl-C reaches the demo first."""
        fleet = [sys.executable, "-m", "simulator", *fleet_words(devices, rate, ledger)]
        with (self._folder / "simulator.log").open("wb") as log:
            self._fleet = subprocess.Popen(
                fleet, env=self._marked, stdout=log, stderr=log, start_new_session=True
            )

    def start_rest(self) -> None:
        """Start what the first rows can do without, while they flow."""
        names = [name for name in service_names(self._settings, "full") if name != LAST]
        with (self._folder / "up.log").open("wb") as log:
            command = [sys.executable, "-m", "infra.cli", "up", "--only", ",".join(names)]
            self._rest = subprocess.Popen(command, env=self._marked, stdout=log, stderr=log)

    def start_dashboards(self) -> bool:
        """Start Superset, if it is part of this stack and more than the first services are."""
        if self._rest is None or LAST not in service_names(self._settings, "full"):
            return False
        nothing = subprocess.DEVNULL
        command = [sys.executable, "-m", "infra.cli", "up"]
        with self._dashboards_log.open("wb") as log:
            self._last = subprocess.Popen(
                command, env=self._marked, stdin=nothing, stdout=log, stderr=log
            )
        return True

    def await_dashboards(self) -> str | None:
        """Wait until Superset is up, if it was started; return what it failed by."""
        if self._last is None or self._last.wait() == 0:
            return None
        return self._dashboards_log.read_text().strip()

    @property
    def _dashboards_log(self) -> Path:
        return self._folder / "dashboards.log"

    def is_starting(self) -> bool:
        """Say whether the rest is not up yet; raise if it failed, or if the fleet has ended."""
        if self._fleet is not None and self._fleet.poll() is not None:
            log = self._folder / "simulator.log"
            said = log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
            raise HeadwaterError(
                f"the demo's fleet has ended ({said or 'without a word'}): see {log};"
                " `headwater down` stops what still runs"
            )
        if self._rest is None or self._rest.poll() is None:
            return self._rest is not None
        if self._rest.returncode:
            raise HeadwaterError((self._folder / "up.log").read_text().strip())
        return False

    def end(self) -> None:
        """End all of them, the fleet first."""
        for process in (self._fleet, self._rest, self._last):
            _stop(process)


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
