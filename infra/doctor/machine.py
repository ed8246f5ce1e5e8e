"""Checks of the machine: Java, memory, disk, open files, clock."""

import os
import resource
import shutil
from datetime import UTC, datetime
from pathlib import Path

import psutil

from infra.doctor.finding import Finding
from infra.environment import PROJECT
from infra.java import java_for_spark, java_for_trino
from infra.stack import Mode
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

MEMORY_MB: dict[Mode, tuple[int, int]] = {"full": (3500, 6500), "light": (1200, 2048)}
"""Available memory below which nothing starts, and below which it may not be enough."""
DISK_MB: dict[Mode, tuple[int, int]] = {"full": (1024, 5120), "light": (256, 1024)}
OPEN_FILES = 4096
MB = 1024 * 1024


def check_spark_java(settings: Settings) -> Finding:
    """Look for the Java of Spark and Kafka."""
    try:
        java = java_for_spark(settings)
    except HeadwaterError as error:
        return _refusal("java", error)
    return Finding("java", "ok", f"Java {java.version} at {java.executable} (by {java.named_by})")


def check_trino_java() -> Finding:
    """Look for the newer Java that Trino needs."""
    try:
        java = java_for_trino()
    except HeadwaterError as error:
        return _refusal("java for trino", error)
    return Finding("java for trino", "ok", f"Java {java.version} at {java.executable}")


def check_memory(mode: Mode) -> Finding:
    """Hold the memory that is available, limits of a container included, against the mode."""
    available = available_memory_mb()
    least, enough = MEMORY_MB[mode]
    found = f"{available} MiB available"
    fix = f"the {mode} stack wants {enough} MiB: end other programs"
    if mode == "full":
        fix += ", or use `headwater up --light` (2 GiB)"
    if available < least:
        return Finding("memory", "missing", found, fix)
    return Finding("memory", *(("ok", found) if available >= enough else ("warning", found, fix)))


def available_memory_mb() -> int:
    """Return what can be used without swapping, within the control group's limit."""
    available = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        return min(available, max(0, limit - used)) // MB
    except (OSError, ValueError):
        return int(available // MB)


def check_disk(subject: str, folder: Path, mode: Mode, variable: str) -> Finding:
    """Hold the free space of the disk below a folder against the mode."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free // MB
    least, enough = DISK_MB[mode]
    found = f"{free} MiB free at {there}"
    fix = f"at least {enough} MiB are wanted: free some, or set {variable} to another disk"
    if not os.access(there, os.W_OK):
        return Finding(subject, "missing", f"{there} is not writable", f"set {variable}")
    if free < least:
        return Finding(subject, "missing", found, fix)
    return Finding(subject, *(("ok", found) if free >= enough else ("warning", found, fix)))


def check_open_files() -> Finding:
    """Look at the limit of open files; a broker and a lake hold many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{soft} at once"
    if soft >= OPEN_FILES or soft == resource.RLIM_INFINITY:
        return Finding("open files", "ok", found)
    return Finding("open files", "warning", found, f"ulimit -n {min(hard, 65536)}")


def check_clock(now: datetime) -> Finding:
    """See that the clock is not before the software that it runs, as on a board without one."""
    newest = max((path.stat().st_mtime for path in PROJECT.glob("infra/*.py")), default=0.0)
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now.timestamp() >= newest - 24 * 3600:
        return Finding("clock", "ok", found)
    made = datetime.fromtimestamp(newest, UTC)
    return Finding(
        "clock", "missing", f"{found}, but our files are of {made:%Y-%m-%d}", "set the clock"
    )


def _refusal(subject: str, error: HeadwaterError) -> Finding:
    found, _, fix = str(error).partition(": ")
    return Finding(subject, "missing", found, fix)
