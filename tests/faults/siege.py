"""A stack under siege: its fleet, its reader, its kills, and the verdict at the end of a round."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.end_to_end.durable import unlanded
from tests.end_to_end.stack import Stack
from tests.faults import aftermath
from tests.faults.application import STREAMS, healed_after, landing_progress, pid_of
from tests.faults.job_strike import JobStrike
from tests.faults.plan import Kill, Round
from tests.faults.points import RANDOM, SELDOM
from tests.faults.provocation import ALWAYS_FIRST, Provocation
from tests.faults.record import BROKEN, Line
from tests.faults.watcher import TIME_IS_OVER

HEAL_WITHIN_S = 240.0
FILE_WITHIN_S = 240.0
NORMAL_LAG_S = 5.0
"""A micro-batch underway, one to come, and what a second of telling adds."""


@dataclass(slots=True)
class Siege:
    """One stack, kept up over many kills; `rate` is the fleet's, in messages a second."""

    stack: Stack
    rate: int
    seed: int
    scenario: str = "faults"
    hurries: bool = False
    """Whether it kills again without waiting until all is well; the last of a round is waited for.
    """
    ledgers: list[Path] = field(default_factory=list)
    jobs: JobStrike = field(init=False)
    killed: int | None = None
    """The process that was killed last: it is there for a moment longer."""

    def __post_init__(self) -> None:
        """Be ready to strike jobs too."""
        self.jobs = JobStrike(self.stack)

    @property
    def home(self) -> Path:
        """Where the stack keeps its state."""
        return self.stack.home

    @property
    def most_lag(self) -> int:
        """Messages that landing is behind by when all is well."""
        return round(self.rate * NORMAL_LAG_S)

    def start_fleet(self, number: int) -> subprocess.Popen[bytes]:
        """Start a fleet that sends until it is told to end."""
        ledger = self.home / f"ledger-{number}.ndjson"
        self.ledgers = [ledger]
        sizes = ["--devices", "100", "--rate", str(self.rate), "--for", "24h", "--quiet"]
        seed = ["--seed", str(self.seed + number), "--ledger", str(ledger)]
        command = [sys.executable, "-m", "simulator", "simulate", self.scenario, *sizes, *seed]
        with (self.home / "fleet.log").open("ab") as log:
            return subprocess.Popen(command, env=self.stack.environment, stdout=log, stderr=log)

    def application(self) -> int:
        """Return the stream application's process, waiting for the supervisor to start it."""
        until = time.monotonic() + HEAL_WITHIN_S
        while time.monotonic() < until:
            pid = pid_of(self.home, STREAMS, other_than=self.killed)
            if pid is not None:
                return pid
            time.sleep(0.1)
        raise AssertionError("the supervisor does not start the streams again")

    def strike(self, kill: Kill, *, is_waited_for: bool = True) -> Line:
        """Kill once, and wait until the stream application has healed."""
        if kill.point.startswith("job:"):
            return self.jobs.strike(kill)
        began = time.time()
        struck = self._at_random(kill) if kill.point == RANDOM else self._at_file(kill)
        at = float(str(struck["at"]))
        struck |= {"waited_s": round(at - began, 1)}
        cut = aftermath.cut(self.home / "lake")
        if not is_waited_for:
            return {**struck, "cut": cut, "heal_s": None}
        heal_s = healed_after(self.home, at, most_lag=self.most_lag, within_s=HEAL_WITHIN_S)
        return {**struck, "cut": cut, "heal_s": heal_s}

    def _at_random(self, kill: Kill) -> Line:
        time.sleep(kill.wait_s)
        pid = self.application()
        os.killpg(os.getpgid(pid), signal.SIGKILL)
        self.killed = pid
        return {"at": time.time()}

    def _at_file(self, kill: Kill) -> Line:
        nth = 1 if kill.point in (*ALWAYS_FIRST, *SELDOM) else kill.nth
        pid = self.application()
        what = [str(self.home), kill.point, str(nth), str(pid), str(FILE_WITHIN_S)]
        command = [sys.executable, "-m", "tests.faults.watcher", *what]
        with Provocation(self.stack, kill.point, kill.number) as provocation:
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if provocation.ledger.exists():
            self.ledgers.append(provocation.ledger)
        if done.returncode == TIME_IS_OVER:
            raise AssertionError(f"{kill.point}: no such file in {FILE_WITHIN_S:.0f} s")
        assert not done.returncode, f"{kill.point}: the watcher failed"
        self.killed = pid
        struck: Line = json.loads(done.stdout.splitlines()[-1])
        return struck

    def verdict(self) -> Line:
        """Hold the lake against the round's ledgers."""
        names = [str(ledger) for ledger in self.ledgers]
        answer = self.stack.run(
            "verify", *names, "--json", "--timeout", "400", check=False, timeout_s=900
        )
        try:
            found = json.loads(answer.out)
        except ValueError:
            return {"ok": False, "said": answer.err.strip()[-500:]}
        kept = {name: found[name] for name in ("ok", "sent", "acked", *BROKEN)}
        gold_wrong = found["gold"]["wrong"] if found["gold"] else None
        left_out = unlanded(self.stack)
        kept["ok"] = kept["ok"] and not left_out
        return {
            **kept,
            "gold_wrong": gold_wrong,
            "unlanded": left_out,
            "examples": found["examples"][:3],
        }

    def hold(self, one: Round, told: "Told") -> bool:
        """Make a round's kills under a fleet and a reader, and tell whether all was kept."""
        with Looks(self.home) as reader:
            return self._hold(one, told, reader)

    def _hold(self, one: Round, told: "Told", reader: "Looks") -> bool:
        began, unhealed = time.monotonic(), list[str]()
        fleet = self.start_fleet(one.number)
        try:
            self.wait_for_traffic()
            for kill, is_waited_for in zip(one.kills, self.waits(one), strict=True):
                struck = self.strike(kill, is_waited_for=is_waited_for)
                unhealed += [kill.point] * (is_waited_for and struck["heal_s"] is None)
                told.kill(one, kill, struck)
        finally:
            fleet.terminate()
            left = fleet.wait(timeout=240)
        struck_at = time.monotonic()
        found = self.verdict()
        seen = reader.end()
        ended = time.monotonic()
        took = {"took_s": round(ended - began), "verdict_s": round(ended - struck_at)}
        is_kept = bool(found["ok"]) and not seen["seen"] and bool(seen["looks"])
        is_kept = is_kept and left == 0 and not unhealed
        more = {"fleet": left, "unhealed": unhealed, "ok": is_kept}
        told.round(one, {**found, **seen, **took, **more})
        return is_kept

    def waits(self, one: Round) -> list[bool]:
        """Return after which kills of a round it waits: jobs are killed where all is well."""
        after = [*(kill.point.startswith("job:") for kill in one.kills[1:]), True]
        return [is_needed or not self.hurries for is_needed in after]

    def wait_for_traffic(self) -> None:
        """Wait until landing has taken up something of the fleet."""
        began = time.time()
        while time.time() - began < HEAL_WITHIN_S:
            said = landing_progress(self.home)
            at, rows = said.get("at"), said.get("rows")
            if isinstance(at, float) and at > began + 2 and rows:
                return
            time.sleep(0.2)
        raise AssertionError("nothing lands")


class Told:
    """What a siege tells as it goes on; the harness writes it down."""

    def kill(self, one: Round, kill: Kill, struck: Line) -> None:
        """Take note of a kill."""

    def round(self, one: Round, found: Line) -> None:
        """Take note of a verdict."""


class Looks:
    """The reader's process, and its report."""

    def __init__(self, home: Path) -> None:
        self._report = home / "reader.json"
        self._report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.faults.reader"]
        with (home / "reader.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, str(home / "lake"), str(self._report)], stdout=log, stderr=log
            )
        self._log = home / "reader.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it in a round without a verdict as well."""
        self._process.kill()
        self._process.wait()

    def end(self) -> Line:
        """End it; return how often it looked and what it saw that it should not."""
        has_died = self._process.poll() is not None
        self._process.terminate()
        self._process.wait(timeout=60)
        report = json.loads(self._report.read_text()) if self._report.exists() else {}
        seen = list(report.get("seen", []))
        if has_died:
            seen.append(f"the reader died: {self._log.read_text()[-500:]}")
        return {"looks": report.get("looks", 0), "seen": seen}
