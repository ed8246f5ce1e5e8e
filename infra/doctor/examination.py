"""All checks of one mode, in the order in which a person would mend things."""

from collections.abc import Sequence
from datetime import UTC, datetime

from infra.doctor import machine, stack
from infra.doctor.finding import Finding
from infra.services import declared_services
from infra.stack import Mode
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


def examine(settings: Settings, mode: Mode, names: Sequence[str]) -> list[Finding]:
    """Check what the named services need."""
    services = declared_services(settings, mode, names)
    parts = {service.part for service in services}
    trino = [machine.check_trino_java()] if "trino" in parts else []
    return [
        machine.check_spark_java(settings),
        *trino,
        machine.check_memory(mode),
        machine.check_disk("disk of the home", settings.home, mode, "HEADWATER_HOME"),
        machine.check_disk("disk of the cache", settings.cache, "light", "HEADWATER_CACHE"),
        machine.check_open_files(),
        machine.check_clock(datetime.now(UTC)),
        *stack.check_ports(settings, services),
        stack.check_parts(settings, parts),
        *(stack.check_superset(settings) if mode == "full" else ()),
        stack.check_strays(settings),
        *stack.check_drills(settings),
    ]


def refuse_if_blocked(findings: Sequence[Finding]) -> None:
    """Raise what keeps the stack from starting."""
    blocking = [finding for finding in findings if finding.verdict == "missing"]
    if not blocking:
        return
    first = blocking[0]
    others = f"; `headwater doctor` names {len(blocking) - 1} more" if len(blocking) > 1 else ""
    raise HeadwaterError(f"{first.subject}: {first.found}: {first.fix}{others}")
