"""Where the CPU time of a process tree goes: our Python, its workers, and the JVM's threads."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import psutil

_COMPILER, _COLLECTOR = ("C1 Compiler", "C2 Compiler"), ("GC Thread", "VM Thread", "G1 ")
_TASKS = ("Executor task", "stdout writer")
_TICKS_PER_S = 100


def cpu_s_by_part() -> Mapping[str, float]:
    """Return the CPU seconds of this process and all below it, by part."""
    me = psutil.Process()
    found: dict[str, float] = defaultdict(float)
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
            is_java = process.name() == "java"
        except psutil.NoSuchProcess:
            continue
        if is_java:
            for part, used_s in _threads(process.pid, times.user + times.system).items():
                found[part] += used_s
        else:
            part = "driver" if process.pid == me.pid else "workers"
            found[part] += times.user + times.system
        found["ended"] += times.children_user + times.children_system
    return found


def _threads(pid: int, whole_s: float) -> Mapping[str, float]:
    found: dict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name, _, said = (task / "stat").read_text().partition(" (")[2].rpartition(") ")
        except FileNotFoundError:
            continue
        fields = said.split()
        found[_part(name)] += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    found["jvm_other"] += max(0.0, whole_s - sum(found.values()))
    return found


def _part(name: str) -> str:
    parts = {"compiler": _COMPILER, "collector": _COLLECTOR, "tasks": _TASKS}
    for part, starts in parts.items():
        if name.startswith(starts):
            return f"jvm_{part}"
    return "jvm_other"
