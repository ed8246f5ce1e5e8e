"""Checks of the stack's own things: ports, fetched parts, processes left behind."""

from collections.abc import Collection

from psutil import Process

from infra import processes
from infra.doctor.finding import Finding
from infra.drills.fault import left_faults
from infra.fetch import paths
from infra.superset.environment import is_wanted, superset_python
from infra.supervision.daemon import Daemon
from infra.supervision.service import Service
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

LOWEST_BASE, HIGHEST_BASE = 1024, 65_000
"""Of `HEADWATER_PORT_BASE`."""
PARTS = {
    "spark": paths.spark_jars,
    "kafka": paths.kafka_home,
    "trino": paths.trino_home,
    "web": paths.web_libraries,
    "superset": superset_python,
}


def check_ports(settings: Settings, services: Collection[Service]) -> list[Finding]:
    """Name each port that somebody else holds, and who."""
    streams = {port: service.name for service in services for port in service.ports}
    datagrams = {port: service.name for service in services for port in service.datagram_ports}
    names = streams | datagrams
    taken = [
        holder
        for holder in processes.port_holders(streams, datagrams)
        if holder.home is None or holder.home != str(settings.home)
    ]
    if not taken:
        span = f"{min(names)} to {max(names)} free or ours" if names else "none needed"
        return [Finding("ports", "ok", span)]
    base = free_base(settings.port_base, {port - settings.port_base for port in names})
    return [_taken(base, names[holder.port], holder) for holder in taken]


def free_base(base: int, offsets: Collection[int]) -> int:
    """Return the nearest base of ports, by hundreds, at which nobody holds any of them."""
    every = range(LOWEST_BASE, 2**16)
    held = {holder.port for holder in processes.port_holders(every, every)}
    others = (base + sign * step for step in range(100, 2**16, 100) for sign in (1, -1))
    fitting = (other for other in others if LOWEST_BASE <= other <= HIGHEST_BASE)
    return next(
        (other for other in fitting if held.isdisjoint(other + offset for offset in offsets)), base
    )


def _taken(base: int, service: str, holder: processes.Holder) -> Finding:
    who = f"{holder.command} (pid {holder.pid})" if holder.pid else holder.command
    if holder.home:
        who = f"the stack of HEADWATER_HOME={holder.home} (pid {holder.pid})"
    return Finding(
        f"port {holder.port}",
        "missing",
        f"{service} needs it, but {who} holds it",
        f"end that process, or set HEADWATER_PORT_BASE={base}",
    )


def missing_parts(settings: Settings, parts: Collection[str]) -> list[str]:
    """Return the parts that are not fetched whole."""
    missing = []
    for part in sorted(set(parts)):
        try:
            PARTS[part](settings)
        except HeadwaterError:
            missing.append(part)
    return missing


def check_parts(settings: Settings, parts: Collection[str]) -> Finding:
    """See which jars and servers are in the cache."""
    missing = missing_parts(settings, parts)
    if not missing:
        return Finding("jars and servers", "ok", f"all in {settings.cache}")
    fix = f"`headwater up` fetches them, or `headwater fetch {' '.join(missing)}`"
    return Finding("jars and servers", "warning", f"not fetched: {', '.join(missing)}", fix)


def check_superset(settings: Settings) -> list[Finding]:
    """Say where the stack has to do without Superset, for want of a Python."""
    if settings.superset != "auto" or is_wanted(settings):
        return []
    fix = "install Python 3.12 beside this one, or say HEADWATER_SUPERSET=off"
    return [Finding("superset", "warning", "left out: no Python 3.11 or 3.12 is found", fix)]


def check_strays(settings: Settings) -> Finding:
    """Find processes that a killed `up` or supervisord left behind."""
    strays = stray_processes(settings)
    if not strays:
        return Finding("left processes", "ok", "none")
    pids = ", ".join(str(process.pid) for process in strays)
    return Finding(
        "left processes", "warning", f"pids {pids}", "`headwater up` or `headwater down` ends them"
    )


def check_drills(settings: Settings) -> list[Finding]:
    """Name the faults that drills left when they were killed."""
    fix = "`headwater up` or `headwater drill` undoes it"
    return [
        Finding(f"drill {fault.drill}", "warning", f"was killed; it {fault.does}", fix)
        for fault in left_faults(settings.home)
    ]


def stray_processes(settings: Settings) -> list[Process]:
    """Return the home's processes that no living supervisord looks after."""
    pid = Daemon(settings.home).pid()
    kept = processes.tree_pids(pid) if pid else set()
    return [
        process for process in processes.stack_processes(settings.home) if process.pid not in kept
    ]
