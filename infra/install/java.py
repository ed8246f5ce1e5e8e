"""Java for Spark and Kafka: there already, installed on Debian, or asked for."""

import subprocess
from pathlib import Path

from infra.install.environment import Environment
from infra.install.system import InstallError, install_debian_packages

PACKAGES = ["openjdk-17-jre-headless", "openjdk-21-jre-headless", "default-jre-headless"]
CHECK = """
import sys
from infra.java import java_for_spark
from telemetry.errors import one_line
from telemetry.settings import Settings
try:
    settings = Settings()
except ValueError as error:
    print(one_line(error), file=sys.stderr)
    sys.exit(3)
try:
    print(java_for_spark(settings).executable)
except Exception as error:
    sys.exit(one_line(error))
"""
WRONG_SETTING = 3
"""The check's exit code where no Java would help."""


def install_java(environment: Environment) -> bool:
    """Make sure that a fitting Java is found, as the `headwater` command will look for it."""
    stamp = environment.folder / ".java"
    if stamp.is_file() and Path(stamp.read_text("utf-8")).exists():
        return False
    found = _look(environment)
    if found.returncode == WRONG_SETTING:
        raise InstallError(found.stderr.strip())
    if found.returncode and install_debian_packages(PACKAGES):
        found = _look(environment)
    if found.returncode:
        raise InstallError(found.stderr.strip().rpartition("\n")[2])
    stamp.write_text(found.stdout.strip(), "utf-8")
    return True


def _look(environment: Environment) -> subprocess.CompletedProcess[str]:
    command = [str(environment.python), "-c", CHECK]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=environment.checkout, check=False
    )
