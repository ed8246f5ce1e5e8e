"""Small services for tests, and a home that leaves no process behind."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.starting import Progress
from infra.supervision.service import Service

SLEEP = (sys.executable, "-c", "import time; time.sleep(300)")


def service(
    name: str,
    command: Sequence[str] = SLEEP,
    *,
    after: tuple[str, ...] = (),
    complaint: Callable[[], str | None] = lambda: None,
    before_start: Callable[[], None] = lambda: None,
) -> Service:
    """Return a service that sleeps."""
    return Service(
        name=name,
        command=lambda: command,
        budget_mb=10,
        after=after,
        complaint=complaint,
        before_start=before_start,
        stop_wait_s=2,
    )


def nobody_watches(_: Sequence[Progress]) -> None:
    """Show no progress."""


def file_complaint(path: Path) -> Callable[[], str | None]:
    """Return a probe that is content once a file is there."""
    return lambda: None if path.exists() else f"no {path.name}"
