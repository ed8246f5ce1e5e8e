"""Commands of the machine: run aloud, and packages of Debian where we may install them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


class InstallError(Exception):
    """Something that the user can mend; the message says how."""


def say(text: str) -> None:
    """Tell progress on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 (there is no logger before the install)


def run(command: list[str], *, remedy: str, environment: dict[str, str] | None = None) -> None:
    """Run a command with its own output shown; where it fails, say the remedy."""
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise InstallError(f"{command[0]} does not start ({error.strerror}): {remedy}") from error
    if done.returncode:
        raise InstallError(f"`{Path(command[0]).name} {command[1]}` failed: {remedy}")


def install_debian_packages(packages: list[str]) -> bool:
    """Install the first of these packages that exists; False where that is not ours to do."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"apt-get install {packages[0]}")
    _apt_get("update", "-qq")
    # Java's scripts want this folder, which slim images leave out.
    Path("/usr/share/man/man1").mkdir(parents=True, exist_ok=True)
    return any(_apt_get("install", "-qq", "-y", package) for package in packages)


def _apt_get(*arguments: str) -> bool:
    options = ["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", *options, *arguments]
    done = subprocess.run(
        command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        say(done.stderr.strip())
    return done.returncode == 0
