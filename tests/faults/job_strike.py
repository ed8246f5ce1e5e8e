"""A batch job killed: at a file that it writes, or at a moment late in its run."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from tests.end_to_end.stack import Stack
from tests.faults.plan import Kill
from tests.faults.record import Line

JOB_WITHIN_S = 1800.0


@dataclass(slots=True)
class JobStrike:
    """Kills jobs of one stack, and lets each run to its end afterwards."""

    stack: Stack
    command: tuple[str, ...] = (sys.executable, "-m", "infra.cli", "job")
    """What runs a job, given its name."""
    took_s: dict[str, float] = field(default_factory=dict)
    """How long each job takes on this stack."""

    def strike(self, kill: Kill) -> Line:
        """Kill a job at its nth file if that is odd, else in the second half of its run.

        One that writes no such file, or ends before, is killed at a moment of another run.
        """
        name = kill.point.removeprefix("job:")
        if name not in self.took_s:
            self._run(name)
        struck = self._at_file(kill, name) if kill.nth % 2 else None
        for share in (0.5 + kill.share / 2, 0.5, 0.25):
            struck = struck or self._at_moment(name, share)
        if struck is None:
            raise AssertionError(f"{kill.point}: the job was over each time before its kill")
        at = time.time()
        self._run(name)
        return {"at": at, **struck, "heal_s": round(time.time() - at, 1)}

    def _at_moment(self, name: str, share: float) -> Line | None:
        job = self._start(name)
        time.sleep(self.took_s[name] * share)
        is_cut = job.poll() is None
        if is_cut:
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        return {"file": f"at {share:.2f} of its time"} if is_cut else None

    def _at_file(self, kill: Kill, name: str) -> Line | None:
        """Leave the kill to the watcher; a job that writes no such file runs to its end."""
        job = self._start(name)
        what = [str(self.stack.home), kill.point, str(kill.nth), str(job.pid), str(JOB_WITHIN_S)]
        command = [sys.executable, "-m", "tests.faults.watcher", *what]
        watcher = subprocess.Popen(command, stdout=subprocess.PIPE)
        job.wait()
        time.sleep(0.5)
        watcher.terminate()
        said = watcher.communicate()[0].splitlines()
        return None if watcher.returncode else {"file": json.loads(said[-1])["file"]}

    def _run(self, name: str) -> None:
        began = time.monotonic()
        done = subprocess.run(
            [*self.command, name],
            env=self.stack.environment,
            capture_output=True,
            text=True,
            timeout=JOB_WITHIN_S,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"job {name}: {done.stdout}{done.stderr}")
        self.took_s[name] = time.monotonic() - began

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        with (self.stack.home / "job.log").open("ab") as log:
            return subprocess.Popen(
                [*self.command, name],
                env=self.stack.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
