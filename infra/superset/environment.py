"""Superset's own environment: in the cache, named by its lock's checksum, filled by uv."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.install.environment import NETWORK
from infra.install.mirror import pip_settings, uv_variables
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

LOCKS = Path(__file__).parents[1] / "locks"
PYTHONS = ">=3.11,<3.13"
"""Pythons that Superset 6.1 runs on."""
FITTING = ("python3.12", "python3.11")
LEAVE_OUT = "or leave Superset out: HEADWATER_SUPERSET=off"

Say = Callable[[str], None]


def is_wanted(settings: Settings, python: Callable[[], str | None] | None = None) -> bool:
    """Say whether the full stack has Superset: as set, or wherever a Python fits it."""
    if settings.superset == "auto":
        return (python or fitting_python)() is not None
    return settings.superset == "on"


def fitting_python(version: tuple[int, ...] = sys.version_info[:2]) -> str | None:
    """Return our own Python where Superset runs on it, or another one that does."""
    if version < (3, 13):
        return sys.executable
    return next((found for name in FITTING if (found := shutil.which(name))), None)


def superset_dir(settings: Settings) -> Path:
    """Return the environment's folder; another lock has another one."""
    digest = hashlib.sha256((LOCKS / "superset.txt").read_bytes()).hexdigest()
    return settings.cache / "superset" / digest[:16]


def superset_python(settings: Settings) -> Path:
    """Return the environment's interpreter; raise if it is not made whole."""
    folder = superset_dir(settings)
    if not _marker(folder).exists():
        raise HeadwaterError(f"{folder} is missing: run `headwater fetch superset`")
    return folder / "bin" / "python"


def make(settings: Settings, say: Say) -> None:
    """Make the environment unless it is there; what an interrupted run left is gone on with."""
    folder = superset_dir(settings)
    if _marker(folder).exists():
        return
    say("Installing Superset")
    variables = {**os.environ, **uv_variables(pip_settings(Path(sys.executable)), os.environ)}
    if not (folder / "bin" / "python").exists():
        python = fitting_python() or PYTHONS
        _uv(("venv", "--clear", "--python", python, str(folder)), variables, _no_python())
    target = ("--python", str(folder / "bin" / "python"), "--require-hashes")
    bootstrap = ("pip", "install", *target, "--requirement", str(LOCKS / "bootstrap.txt"))
    _uv(bootstrap, variables, NETWORK)
    # What has no wheel is built with the locked setuptools, which is there by now.
    sync = ("pip", "sync", *target, "--no-build-isolation", str(LOCKS / "superset.txt"))
    _uv(sync, variables, NETWORK)
    _marker(folder).touch()


def _marker(folder: Path) -> Path:
    return folder / ".installed"


def _no_python() -> str:
    return f"Superset needs Python {PYTHONS}: install one (Debian: python3.12), {LEAVE_OUT}"


def _uv(arguments: Sequence[str], variables: dict[str, str], remedy: str) -> None:
    command = [str(Path(sys.executable).parent / "uv"), "--quiet", *arguments]
    done = subprocess.run(
        command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        raise HeadwaterError(f"Superset's environment cannot be made ({said}): {remedy}")
