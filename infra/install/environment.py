"""The virtual environment: made, filled from the lock by hash, and stamped."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.install.mirror import NO_BYTECODE, pip_settings, uv_variables
from infra.install.system import InstallError, install_debian_packages, run, say

NETWORK = (
    "check the network and the free disk (2.5 GB), or name a mirror in PIP_INDEX_URL, "
    "then run the same command again"
)


@dataclass(frozen=True, slots=True)
class Environment:
    """A checkout and the virtual environment in it."""

    checkout: Path
    folder: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """What was installed last: the lock's name and its fingerprint."""
        return self.folder / ".installed"

    def lock(self, name: str) -> Path:
        """Return one of the locks: bootstrap, main or dev."""
        return self.checkout / "infra" / "locks" / f"{name}.txt"

    def fingerprint(self, name: str, *, is_compiled: bool) -> str:
        """Return what an installation of this lock depends on, as one string."""
        files = (self.lock("bootstrap"), self.lock(name), self.checkout / "pyproject.toml")
        contents = b"".join(file.read_bytes() for file in files)
        told = f"{self.checkout}{'1' if is_compiled else ''}"
        digest = hashlib.sha256(contents + told.encode())
        return f"{name} {digest.hexdigest()}"


def install_packages(environment: Environment, lock: str) -> bool:
    """Bring the environment to the lock; dev holds all of main, and stays once it is there."""
    installed = _stamp(environment)
    if installed.startswith("dev "):
        lock = "dev"
    must_compile = bool(os.environ.get(NO_BYTECODE))
    # Compiled packages serve a Python that may keep what it compiles as well.
    fitting = {environment.fingerprint(lock, is_compiled=each) for each in (must_compile, True)}
    if installed in fitting:
        return False
    _make(environment)
    environment.stamp.unlink(missing_ok=True)
    _install_installer(environment)
    _install_lock(environment, lock)
    stamp = environment.fingerprint(lock, is_compiled=must_compile)
    environment.stamp.write_text(stamp, "utf-8")
    return True


def _stamp(environment: Environment) -> str:
    is_whole = environment.stamp.is_file() and environment.python.exists()
    return environment.stamp.read_text("utf-8") if is_whole else ""


def _make(environment: Environment) -> None:
    if _runs(environment.python, "import pip"):
        return
    if not _runs(Path(sys.executable), "import ensurepip, venv"):
        _install_venv_module()
    say(f"making {environment.folder.name} with Python {sys.version.partition(' ')[0]}")
    command = [sys.executable, "-m", "venv", "--clear", str(environment.folder)]
    run(command, remedy="remove .venv and check that this folder can be written")


def _install_venv_module() -> None:
    package = f"python3.{sys.version_info.minor}-venv"
    if install_debian_packages([package, "python3-venv"]):
        return
    raise InstallError(
        f"Python's module venv is not whole: `sudo apt-get install {package}` (Debian, Ubuntu), "
        "or take another Python: `make install PYTHON=…`"
    )


def _install_installer(environment: Environment) -> None:
    lock = environment.lock("bootstrap")
    say("installing the installer")
    quiet = ["--quiet", "--disable-pip-version-check"]
    arguments = ["-m", "pip", "install", *quiet, "--require-hashes", "--requirement", str(lock)]
    run([str(environment.python), *arguments], remedy=NETWORK)


def _install_lock(environment: Environment, lock: str) -> None:
    say(f"installing the packages of {lock}")
    variables = {**os.environ, **uv_variables(pip_settings(environment.python), os.environ)}
    uv = [str(environment.folder / "bin" / "uv"), "pip"]
    target = ["--python", str(environment.python)]
    # What has no wheel is built with the locked setuptools, not with one fetched for the occasion.
    sync = ["sync", *target, "--no-build-isolation", "--require-hashes"]
    run([*uv, *sync, str(environment.lock(lock))], remedy=NETWORK, environment=variables)
    # A path file finds packages that are added later; setuptools' import hook does not.
    editable = ["--no-deps", "--no-build-isolation", "--config-setting", "editable_mode=compat"]
    ours = ["install", *target, *editable, "--editable", str(environment.checkout)]
    run([*uv, *ours], remedy="remove .venv and run again", environment=variables)


def _runs(python: Path, statement: str) -> bool:
    try:
        done = subprocess.run([python, "-c", statement], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
