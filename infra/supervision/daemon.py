"""The supervisord of one home: started, asked, told, and made to end."""

import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Literal, cast

import psutil
from supervisor.xmlrpc import SupervisorTransport

from infra import processes
from infra.stack import write_whole
from infra.supervision.configuration import (
    configuration,
    configuration_path,
    log_path,
    pid_path,
    socket_path,
)
from infra.supervision.service import Service
from telemetry.errors import HeadwaterError

State = Literal["starting", "running", "stopped", "failed"]
STATES: Mapping[str, State] = {
    "STOPPED": "stopped",
    "STARTING": "starting",
    "RUNNING": "running",
    "BACKOFF": "starting",
    "STOPPING": "running",
    "EXITED": "failed",
    "FATAL": "failed",
}
START_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Run:
    """A service as supervisord sees it, and how long it has run."""

    name: str
    state: State
    pid: int | None
    age_s: int
    is_stopping: bool = False
    """Whether it was told to stop, and has not yet."""
    started_at: int = 0
    """When its newest process was started, in seconds since 1970; it may be gone. 0: never."""


class Daemon:
    """The supervisord of one home, running or not."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def pid(self) -> int | None:
        """Return supervisord's pid if it answers."""
        return cast(int | None, self._ask("getPID"))

    def is_running(self) -> bool:
        """Say whether it answers."""
        return self.pid() is not None

    def start(self, services: Sequence[Service], environment: Mapping[str, str]) -> None:
        """Start it with these services declared, none started; all get the environment."""
        self._write(services, environment)
        socket_path(self.home).unlink(missing_ok=True)
        pid_path(self.home).unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord"]
        command += ["-c", str(configuration_path(self.home))]
        marked = {**os.environ, processes.MARK: str(self.home)}
        marked.pop(processes.DEMO_MARK, None)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=marked,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode or not self._answers_within(START_TIMEOUT_S):
            said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
            raise HeadwaterError(
                f"supervisord did not start ({said or 'no answer'}):"
                f" see {log_path(self.home, 'supervisord')}"
            )

    def declare(self, services: Sequence[Service], environment: Mapping[str, str]) -> set[str]:
        """Take over new and changed services, and stop what is no longer declared.

        Changed ones are stopped too. Those of them that ran are returned: they are to run again.
        """
        running = {name for name, run in self.runs().items() if run.state != "stopped"}
        self._write(services, environment)
        added, changed, removed = cast(list[list[list[str]]], self._call("reloadConfig"))[0]
        for name in (*changed, *removed):
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in (*added, *changed):
            self._call("addProcessGroup", name)
        return running & set(changed)

    def run_service(self, name: str) -> None:
        """Start a service unless it runs already."""
        if self.runs()[name].state in ("stopped", "failed"):
            self._call("startProcess", name, False)

    def stop_service(self, name: str) -> None:
        """Tell a service to stop, and do not wait."""
        self._ask("stopProcess", name, False)

    def runs(self) -> dict[str, Run]:
        """Return each declared service's state by name; empty when supervisord is not there."""
        found = cast(list[dict[str, object]] | None, self._ask("getAllProcessInfo")) or []
        return {run.name: run for run in map(run_of, found)}

    def end(self) -> None:
        """Tell supervisord to stop all services and end; wait for it."""
        pid = self.pid()
        if pid is None:
            return
        waiting = [process for process in [_process(pid)] if process]
        self._ask("shutdown")
        psutil.wait_procs(waiting, timeout=60)

    def _write(self, services: Sequence[Service], environment: Mapping[str, str]) -> None:
        for folder in ("run", "logs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        text = configuration(self.home, services, environment)
        # It holds the settings of all services, passwords among them.
        write_whole(configuration_path(self.home), text, mode=0o600)

    def _answers_within(self, timeout_s: float) -> bool:
        give_up = time.monotonic() + timeout_s
        while not self.is_running():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.05)
        return True

    def _ask(self, method: str, *arguments: object) -> object:
        """Call, and return None if nobody answers or the state is not one to do it in."""
        try:
            return self._call(method, *arguments)
        except (OSError, HTTPException, xmlrpc.client.Error):
            return None

    def _call(self, method: str, *arguments: object) -> object:
        # A transport that failed once stays unusable, so each call has its own.
        transport = SupervisorTransport(None, None, f"unix://{socket_path(self.home)}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return cast(object, getattr(proxy.supervisor, method)(*arguments))


def run_of(found: Mapping[str, object]) -> Run:
    """Return what supervisord says of a process as a run."""
    pid = cast(int, found["pid"])
    state = STATES.get(str(found["statename"]), "failed")
    age_s = cast(int, found["now"]) - cast(int, found["start"])
    if age_s < 0:
        # It began by a clock that was set back since.
        process = _process(pid) if pid else None
        age_s = max(0, int(time.time() - process.create_time())) if process else 0
    is_stopping = found["statename"] == "STOPPING"
    started_at = int(str(found["start"]))
    return Run(str(found["name"]), state, pid or None, age_s, is_stopping, started_at)


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
