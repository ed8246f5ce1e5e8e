"""A program in an environment of its own: in the cache, named by its lock's checksum, filled by uv.

For what pins libraries that Headwater has in other versions.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.install.environment import NETWORK
from infra.install.mirror import pip_settings, uv_variables
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

LOCKS = Path(__file__).parent / "locks"
PYTHONS = ">=3.11,<3.13"
"""Pythons that fit, for uv to find one."""
FITTING = ("python3.12", "python3.11")
NEWS = {"Downloading", "Downloaded", "Building", "Built", "Prepared", "Installed"}
"""First words of the lines in which uv says how far it is."""

Say = Callable[[str], None]


def fitting_python(version: tuple[int, ...] = sys.version_info[:2]) -> str | None:
    """Return our own Python where what stands apart runs on it, or another one that does."""
    if version < (3, 13):
        return sys.executable
    return next((found for name in FITTING if (found := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Apart:
    """One such program: its lock is `infra/locks/{name}.txt`."""

    name: str
    title: str
    leave_out: str
    """How to do without it, as the end of a message."""

    def folder(self, settings: Settings) -> Path:
        """Return the environment's folder; another lock has another one."""
        digest = hashlib.sha256(self._lock.read_bytes()).hexdigest()
        return settings.cache / self.name / digest[:16]

    def python(self, settings: Settings) -> Path:
        """Return the environment's interpreter; raise if it is not made whole."""
        folder = self.folder(settings)
        if not _marker(folder).exists():
            raise HeadwaterError(f"{folder} is missing: run `headwater fetch {self.name}`")
        return folder / "bin" / "python"

    def make(self, settings: Settings, say: Say) -> None:
        """Make the environment unless it is there; an interrupted run is gone on with."""
        folder = self.folder(settings)
        if _marker(folder).exists():
            return
        say(f"Installing {self.title}")
        variables = {**os.environ, **uv_variables(pip_settings(Path(sys.executable)), os.environ)}
        if not (folder / "bin" / "python").exists():
            python = fitting_python() or PYTHONS
            venv = ("venv", "--clear", "--python", python, str(folder))
            self._uv(venv, variables, self._no(), say)
        target = ("--python", str(folder / "bin" / "python"), "--require-hashes")
        bootstrap = ("pip", "install", *target, "--requirement", str(LOCKS / "bootstrap.txt"))
        self._uv(bootstrap, variables, NETWORK, say)
        # What has no wheel is built with the locked setuptools, which is there by now.
        sync = ("pip", "sync", *target, "--no-build-isolation", str(self._lock))
        self._uv(sync, variables, NETWORK, say)
        _marker(folder).touch()

    @property
    def _lock(self) -> Path:
        return LOCKS / f"{self.name}.txt"

    def _no(self) -> str:
        needs = f"{self.title} needs Python {PYTHONS}"
        return f"{needs}: install one (Debian: python3.12), {self.leave_out}"

    def _uv(
        self, arguments: Sequence[str], variables: dict[str, str], remedy: str, say: Say
    ) -> None:
        command = [str(Path(sys.executable).parent / "uv"), "--color", "never", *arguments]
        code, said = run_telling(command, variables, lambda news: say(f"{self.title}: {news}"))
        if code:
            raise HeadwaterError(
                f"{self.title}'s environment cannot be made ({said[-300:]}): {remedy}"
            )


def run_telling(command: Sequence[str], variables: dict[str, str], say: Say) -> tuple[int, str]:
    """Run uv, tell how far its downloads are, and return its exit code and what else it said."""
    rest = list[str]()
    with subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as uv:
        assert uv.stderr is not None
        for line in uv.stderr:
            if line.split()[:1] and line.split()[0] in NEWS:
                say(line.strip())
            else:
                rest += line.split()
    return uv.returncode, " ".join(rest)


def _marker(folder: Path) -> Path:
    return folder / ".installed"
