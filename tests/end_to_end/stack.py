"""A real stack for tests: its own home and ports, driven by the command as a user would."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from deltalake import DeltaTable

from infra.health import HealthJson, health
from telemetry.settings import PORT_NAMES, Settings

Rows = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        """Its result, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Stack:
    """The `headwater` command on one home."""

    home: Path
    port_base: int
    superset: Literal["on", "off"] = "off"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of this stack."""
        own = {"HEADWATER_HOME": str(self.home), "HEADWATER_PORT_BASE": str(self.port_base)}
        return {**os.environ, **own, "HEADWATER_SUPERSET": self.superset}

    def run(self, *arguments: str, check: bool = True, timeout_s: float = 300) -> Answer:
        """Run one command; fail with all that it said unless it ends well."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if check and answer.code:
            raise AssertionError(f"headwater {' '.join(arguments)}: {answer}")
        return answer

    def health(self) -> HealthJson:
        """Return what `status --json` prints, without a process for each look."""
        own = Settings(home=self.home, port_base=self.port_base, superset=self.superset)
        return health(own).as_json()

    def sql(self, query: str) -> Rows:
        """Ask the tables through the stack's own SQL."""
        rows = self.run("sql", query, "--format", "json").json
        assert isinstance(rows, list)
        return rows

    def table(self, name: str) -> pl.DataFrame:
        """Read a whole table from outside, by delta-rs."""
        return pl.DataFrame(
            pl.scan_delta(DeltaTable(self.home / "lake" / Path(*name.split(".")))).collect()
        )


PORT_BASES = range(21000, 32000, 50)
"""Below the ports that the system gives to clients."""


def free_port_base() -> int:
    """Return a base above which all ports of a stack are free.

    Processes that test side by side begin at different places, so that none takes the ports that
    another has found free and not yet used.
    """
    start = os.getpid() * 7 % len(PORT_BASES)
    for step in range(len(PORT_BASES)):
        base = PORT_BASES[(start + step) % len(PORT_BASES)]
        if all(_is_free(base + port) for port in range(len(PORT_NAMES))):
            return base
    raise AssertionError("no free range of ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
