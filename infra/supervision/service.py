"""A service of the stack: how it is started, seen to be ready, and what it may cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


def no_complaint() -> None:
    """Be ready as soon as the process runs."""
    return None


def nothing() -> None:
    """Have nothing to prepare."""


@dataclass(frozen=True, slots=True)
class Service:
    """One supervised process and its children."""

    name: str
    command: Callable[[], Sequence[str]]
    """Asked only when the service is to be started: it may need what must be fetched first."""
    budget_mb: int
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    datagram_ports: tuple[int, ...] = ()
    """Those of UDP."""
    url: str | None = None
    login: str = ""
    after: tuple[str, ...] = ()
    """Services that must be ready before this one starts."""
    part: str = "spark"
    """What must be fetched first: spark, kafka, trino or superset."""
    folder: Path | None = None
    """Working folder; default {home}/run."""
    complaint: Callable[[], str | None] = no_complaint
    """What keeps it from being ready, None when it is; asked again and again, so quick."""
    before_start: Callable[[], None] = nothing
    when_ready: Callable[[], str | None] = no_complaint
    """Makes it of use once it answers; asked again while it says what is missing."""
    nice: int = 0
    """Niceness of its processes: who looks does not hold up what lands."""
    stop_wait_s: int = 20
    stops_group: bool = True
    """Whether SIGTERM goes to all its processes; SIGKILL does in any case."""
