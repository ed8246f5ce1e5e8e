"""`up`: services started one after another as those that they need become ready."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from infra.doctor.stack import stray_processes
from infra.environment import child_environment
from infra.processes import end
from infra.services import declared_services
from infra.stack import Mode, Stack, read_stack, write_stack
from infra.supervision.configuration import log_path
from infra.supervision.daemon import Daemon, Run
from infra.supervision.service import Service
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

TRIES = 3
PAUSE_S = 0.4


@dataclass(slots=True)
class Progress:
    """How far one service is."""

    service: Service
    began: float
    note: str = "waits"
    started: bool = False
    ready_after_s: float | None = None
    starts: set[int] = field(default_factory=set)
    """When processes of it were started since: one that ends at once is not seen to run."""
    before: int = 0
    """When the one before was."""


Show = Callable[[Sequence[Progress]], None]


def prepare(settings: Settings, mode: Mode, names: Sequence[str]) -> tuple[Daemon, list[Service]]:
    """Clear what was left behind, and have a supervisord that knows the services.

    What ran and has other settings now is to be started again, though it is not named.
    """
    end(stray_processes(settings), grace_s=10)
    daemon, before = Daemon(settings.home), read_stack(settings.home)
    kept = before.services if before and before.mode == mode and daemon.is_running() else ()
    services = declared_services(settings, mode, {*names, *kept})
    environment = child_environment(settings)
    stack = Stack(mode, settings.port_base, tuple(service.name for service in services))
    wanted = set(names)
    if daemon.is_running():
        write_stack(settings.home, stack)
        wanted |= daemon.declare(services, environment)
    else:
        daemon.start(services, environment)
        write_stack(settings.home, stack)
    return daemon, [service for service in services if service.name in wanted]


def start(daemon: Daemon, services: Sequence[Service], *, timeout_s: float, show: Show) -> None:
    """Start the services and wait until each is ready; raise for one that cannot start."""
    now = time.monotonic()
    all_progress = [Progress(service, now) for service in services]
    give_up = now + timeout_s
    while True:
        runs = daemon.runs()
        ready = {each.service.name for each in all_progress if each.ready_after_s is not None}
        absent = {name for each in all_progress for name in each.service.after} - {
            each.service.name for each in all_progress
        }
        for each in all_progress:
            if each.ready_after_s is None and set(each.service.after) <= ready | absent:
                _advance(each, daemon, runs)
        show(all_progress)
        if all(each.ready_after_s is not None for each in all_progress):
            return
        if time.monotonic() > give_up:
            raise _too_slow(daemon, all_progress, timeout_s)
        time.sleep(PAUSE_S)


def _advance(each: Progress, daemon: Daemon, runs: dict[str, Run]) -> None:
    """Start a service that does not run, look at one that does."""
    name = each.service.name
    run = runs[name]
    if run.state in ("stopped", "failed") and not each.started:
        each.service.before_start()
        each.before = run.started_at
        daemon.run_service(name)
    each.started = True
    if run.started_at != each.before:
        each.starts.add(run.started_at)
    if (run.state == "failed" and each.starts) or len(each.starts) > TRIES:
        raise _cannot_start(daemon, each)
    complaint = each.service.complaint() or each.service.when_ready()
    each.note = complaint or "ready"
    if complaint is None:
        each.ready_after_s = time.monotonic() - each.began


def _cannot_start(daemon: Daemon, each: Progress) -> HeadwaterError:
    name = each.service.name
    return HeadwaterError(
        f"{name} ends as soon as it starts: {last_words(daemon, name)};"
        f" see `headwater logs {name}`, stop with `headwater down`"
    )


def _too_slow(daemon: Daemon, all_progress: Sequence[Progress], timeout_s: float) -> HeadwaterError:
    slow = next(each for each in all_progress if each.ready_after_s is None)
    name = slow.service.name
    return HeadwaterError(
        f"{name} is not ready after {timeout_s:.0f} s ({slow.note}): {last_words(daemon, name)};"
        f" see `headwater logs {name}`, stop with `headwater down`"
    )


def last_words(daemon: Daemon, name: str) -> str:
    """Return the last line of a service's log that tells something."""
    try:
        lines = log_path(daemon.home, name).read_text("utf-8", "replace").splitlines()[-200:]
    except OSError:
        return "it wrote no log"
    said = [line.strip() for line in lines if line.strip() and not line.startswith(("\t", " "))]
    errors = [line for line in said if "error" in line.lower() or "exception" in line.lower()]
    return (errors or said or ["it wrote no log"])[-1][:300]
