"""What `up` shows: services becoming ready, then where they are."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra.starting import Progress, Show
from infra.supervision.service import Service


@contextmanager
def startup_screen(console: Console) -> Iterator[Show]:
    """Yield what shows progress: a live table in a terminal, a line a service elsewhere."""
    if not console.is_terminal:
        yield _lines(console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda progress: live.update(_table(progress), refresh=True)


def _lines(console: Console) -> Show:
    told: set[str] = set()

    def show(progress: Sequence[Progress]) -> None:
        for each in progress:
            name = each.service.name
            if each.ready_after_s is not None and name not in told:
                told.add(name)
                console.print(f"{name} ready after {each.ready_after_s:.0f} s", highlight=False)

    return show


def _table(progress: Sequence[Progress]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "after"):
        table.add_column(heading)
    for each in progress:
        if each.ready_after_s is None:
            seconds, style = time.monotonic() - each.began, "yellow"
        else:
            seconds, style = each.ready_after_s, "green"
        table.add_row(each.service.name, f"[{style}]{each.note}[/]", f"{seconds:.0f} s")
    return table


def urls(services: Sequence[Service]) -> Table:
    """Return the table of services, their addresses and logins."""
    table = Table()
    table.add_column("service")
    table.add_column("url", overflow="fold")
    table.add_column("login", overflow="fold")
    for service in services:
        table.add_row(service.name, service.url or "-", service.login or "-")
    return table
