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
    took_s: dict[str, float] = field(default_factory=dict)
    """How long each job takes on this stack."""

    def strike(self, kill: Kill) -> Line:
        """Kill a job at its nth file if that is odd, else in the second half of its run."""
        name = kill.point.removeprefix("job:")
        if name not in self.took_s:
            self._run(name)
        job = self._start(name)
        struck = self._at_file(kill, job) if kill.nth % 2 else self._at_moment(kill, job, name)
        job.wait()
        at = time.time()
        self._run(name)
        return {"at": at, **struck, "heal_s": round(time.time() - at, 1)}

    def _at_moment(self, kill: Kill, job: "subprocess.Popen[bytes]", name: str) -> Line:
        time.sleep(self.took_s[name] * (0.5 + kill.share / 2))
        is_cut = job.poll() is None
        if is_cut:
            os.killpg(job.pid, signal.SIGKILL)
        return {"job_cut": is_cut}

    def _at_file(self, kill: Kill, job: "subprocess.Popen[bytes]") -> Line:
        """Leave the kill to the watcher; a job that writes no such file runs to its end."""
        what = [str(self.stack.home), kill.point, str(kill.nth), str(job.pid), str(JOB_WITHIN_S)]
        command = [sys.executable, "-m", "tests.faults.watcher", *what]
        watcher = subprocess.Popen(command, stdout=subprocess.PIPE)
        job.wait()
        time.sleep(0.5)
        watcher.terminate()
        said = watcher.communicate()[0].splitlines()
        if not watcher.returncode:
            return {"job_cut": True, "file": json.loads(said[-1])["file"]}
        return {"job_cut": False}

    def _run(self, name: str) -> None:
        began = time.monotonic()
        self.stack.run("job", name, timeout_s=JOB_WITHIN_S)
        self.took_s[name] = time.monotonic() - began

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "infra.cli", "job", name]
        with (self.stack.home / "job.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=self.stack.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
