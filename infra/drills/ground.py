"""The stack that a drill is held on, and the fleet of the drill's own product."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from infra.environment import setting_variables
from infra.health import health
from infra.processes import DRILL_MARK, tree_pids
from infra.stack import Mode
from infra.streams import expected_queries
from infra.supervision.daemon import Daemon
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

Verdict = Mapping[str, object]
NORMAL_LAG_S = 5.0
"""A micro-batch underway, one to come, and what a second of telling adds."""
POLL_S = 0.5
IDLE_WITHIN_S = 300
HOME_WITHIN_S, BROKEN_OFF_S = 240.0, 10.0
"""How long fleets may take to end, after a drill and where one is broken off."""
RATE = 100


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is sent during a drill."""

    scenario: str
    devices: int = 40


@dataclass(slots=True)
class Ground:
    """A running stack; what a drill leaves behind is in `folder`."""

    settings: Settings
    mode: Mode
    folder: Path
    say: Callable[[str], None]
    ledgers: list[Path] = field(default_factory=list)
    fleets: list[subprocess.Popen[bytes]] = field(default_factory=list)
    disk: Path | None = None
    """The small disk of a drill that has one of its own."""
    rate: int = RATE
    """Messages a second that each fleet sends."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def daemon(self) -> Daemon:
        """The supervisor of the stack."""
        return Daemon(self.settings.home)

    @property
    def landing(self) -> str:
        """The query that lands what the fleet sends."""
        return expected_queries(self.mode)[0]

    def pid(self, service: str) -> int:
        """Return the process of a service."""
        run = self.daemon.runs().get(service)
        if run is None or run.pid is None:
            raise HeadwaterError(f"{service} does not run: `headwater status`, `headwater up`")
        return run.pid

    def kill(self, service: str) -> None:
        """Kill all processes of a service at once, by SIGKILL."""
        os.killpg(os.getpgid(self.pid(service)), signal.SIGKILL)

    def pids(self, service: str) -> set[int]:
        """Return every process of a service."""
        return tree_pids(self.pid(service))

    def progress(self, query: str) -> dict[str, object]:
        """Return a query's newest progress; empty where there is none."""
        try:
            path = self.settings.progress_dir / f"{query}.json"
            found: dict[str, object] = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def start_fleet(self, fleet: Fleet) -> subprocess.Popen[bytes]:
        """Start a fleet that sends until it is told to end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ledger = self.folder / f"ledger-{len(self.ledgers)}.ndjson"
        self.ledgers.append(ledger)
        sizes = [*self.fleet_sizes(fleet), "--for", "24h"]
        command = [sys.executable, "-m", "simulator", "simulate", fleet.scenario, *sizes]
        with (self.folder / "fleet.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--quiet", "--ledger", str(ledger)],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.fleets.append(process)
        return process

    def fleet_sizes(self, fleet: Fleet) -> list[str]:
        """Return how many devices send, and how much, in the words of `simulate`."""
        return ["--devices", str(fleet.devices), "--rate", str(self.rate)]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **setting_variables(self.settings), DRILL_MARK: str(self.folder)}

    @contextlib.contextmanager
    def fleet(self, fleet: Fleet) -> Iterator[None]:
        """Run a fleet, and take every fleet home at the end, acknowledged; raise if one stays."""
        within_s = BROKEN_OFF_S
        try:
            self.start_fleet(fleet)
            yield
            within_s = HOME_WITHIN_S
        finally:
            staying = _end(self.fleets, within_s)
        if staying:
            raise HeadwaterError(
                f"{staying} of the drill's fleets did not get all acknowledged within"
                f" {within_s:.0f} s, and were killed: see {self.folder / 'fleet.log'}"
            )

    def ended_fleets(self) -> list[str]:
        """Say how many fleets have ended by themselves: what others send is no proof."""
        ended = sum(fleet.poll() is not None for fleet in self.fleets)
        said = f"{ended} of the drill's fleets ended by itself: see {self.folder / 'fleet.log'}"
        return [said] if ended else []

    def is_landing(self, since: float, rows_then: object, most_lag: float) -> bool:
        """Tell whether landing has landed something since a moment, and is not behind."""
        said = self.progress(self.landing)
        at, lag, rows = said.get("at"), said.get("lag_messages"), said.get("rows")
        is_new = isinstance(at, float) and at > since + 1 and said["state"] == "running"
        return is_new and bool(rows) and rows != rows_then and _number(lag) <= most_lag

    def wait_for_traffic(self) -> None:
        """Wait until the fleet's messages land without delay."""
        rows = self.progress(self.landing).get("rows")
        if self._healed(time.time(), rows, within_s=120) is None:
            raise HeadwaterError(
                "nothing of the drill's fleet lands: see `headwater status` and"
                f" {self.folder / 'fleet.log'}"
            )

    def healed_after(self, since: float, within_s: float) -> float | None:
        """Return the seconds until all runs and landing's lag is normal; None if it stays so."""
        rows = self.progress(self.landing).get("rows")
        return self._healed(since, rows, within_s=within_s)

    def _healed(self, since: float, rows: object, *, within_s: float) -> float | None:
        most_lag = self.rate * NORMAL_LAG_S
        while (waited := time.time() - since) <= within_s:
            if self.is_landing(since, rows, most_lag) and health(self.settings).is_healthy:
                return round(waited, 1)
            time.sleep(POLL_S)
        return None

    def verdict(self) -> Verdict:
        """Hold the lake against the ledgers of the drill."""
        ledgers = [str(ledger) for ledger in self.ledgers]
        command = [sys.executable, "-m", "simulator", "verify", *ledgers, "--json"]
        done = subprocess.run(
            [*command, "--timeout", str(IDLE_WITHIN_S)],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            found: dict[str, object] = json.loads(done.stdout)
        except ValueError:
            return {"ok": False, "said": done.stderr.strip().rpartition("\n")[2]}
        return found


def _end(fleets: Sequence[subprocess.Popen[bytes]], within_s: float) -> int:
    """Have fleets end, kill those that do not in time, and return how many these are."""
    for fleet in fleets:
        fleet.terminate()
    until, staying = time.monotonic() + within_s, 0
    for fleet in fleets:
        try:
            fleet.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            staying += 1
            fleet.kill()
            fleet.wait()
    return staying


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else float("inf")
