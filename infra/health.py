"""`status`: services and streams of a home as they are now."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypedDict

from infra.batch_job import batch_jobs
from infra.probes import http_json
from infra.processes import tree_pss_mb
from infra.services import declared_services, service_names
from infra.stack import read_stack
from infra.streams import Stream, read_streams
from infra.supervision.daemon import Daemon, Run
from infra.supervision.service import Service, no_complaint
from telemetry.settings import Settings

State = Literal["starting", "running", "degraded", "stopped", "failed"]
WARM_UP_S = 90
JOB_BUDGET_MB = 1024


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One service: what it is, where, and what it costs."""

    name: str
    state: State
    url: str | None
    pid: int | None
    pss_mb: int | None
    budget_mb: int


class HealthJson(TypedDict):
    """The form that outsiders rely on."""

    services: list[dict[str, object]]
    streams: list[dict[str, object]]
    consumer_devices: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """A stack as it is."""

    services: tuple[ServiceHealth, ...]
    streams: tuple[Stream, ...]
    wanted: tuple[str, ...]
    consumer_devices: int | None = None
    """Devices whose acknowledgements are outside the promise of durability; None if unknown."""

    @property
    def is_up(self) -> bool:
        """Say whether anything runs at all."""
        return any(service.pid for service in self.services)

    @property
    def is_healthy(self) -> bool:
        """Say whether all that was started runs as it should."""
        return self.is_up and not self.unwell

    @property
    def unwell(self) -> list[str]:
        """Name what was started and does not run as it should, each with its state."""
        states = [(each.name, each.state) for each in self.services if each.name in self.wanted]
        found = [f"{name} is {state}" for name, state in states if state != "running"]
        if {"streams", "dagster-daemon"} & set(self.wanted):
            ill = [one for one in self.streams if one.state != "running" and not one.is_done]
            found += [f"the stream {one.name} is {one.state}" for one in ill]
        return found

    def as_json(self) -> HealthJson:
        """Return the form that outsiders rely on."""
        streams = [asdict(stream) for stream in self.streams]
        for stream in streams:
            del stream["at"]
        return {
            "services": [asdict(each) for each in self.services],
            "streams": streams,
            "consumer_devices": self.consumer_devices,
        }


def health(settings: Settings) -> Health:
    """Look at every service of the home's mode and at what the streams wrote last."""
    stack = read_stack(settings.home)
    mode = stack.mode if stack else "full"
    runs = Daemon(settings.home).runs()
    names = service_names(settings, mode)
    jobs = batch_jobs(runs["dagster-code"].pid) if "dagster-code" in runs else []
    services = [
        _service(service, runs.get(service.name), jobs)
        for service in declared_services(settings, mode, names)
    ]
    services += [_batch_job(job) for job in jobs]
    host = "dagster-daemon" if settings.streams == "scheduled" else "streams"
    streams = _streams(settings, services, host, runs.get(host))
    wanted = stack.services if stack else ()
    return Health(tuple(services), streams, wanted, consumer_devices(services, http_json))


def consumer_devices(services: Sequence[ServiceHealth], ask: Callable[[str], object]) -> int | None:
    """Return how many devices the registry of this home has of class consumer."""
    for service in services:
        if service.name == "registry" and service.state == "running":
            try:
                told = ask(f"{service.url}/health")
            except OSError:
                return None
            counted = told.get("consumer_devices") if isinstance(told, dict) else None
            return counted if isinstance(counted, int) else None
    return None


def _service(service: Service, run: Run | None, jobs: Sequence[int]) -> ServiceHealth:
    pid = run.pid if run else None
    pss = tree_pss_mb(pid, without=jobs) if pid else None
    state = service_state(service, run)
    return ServiceHealth(service.name, state, service.url, pid, pss, service.budget_mb)


def service_state(service: Service, run: Run | None) -> State:
    """Say how a service is: by its own answer where it has one to give, else by supervisord."""
    if run is None:
        return "stopped"
    if not run.pid or run.state == "failed" or service.complaint is no_complaint:
        return run.state
    if service.complaint() is None:
        # It may answer before the seconds are over in which supervisord calls it starting.
        return "running"
    return "starting" if run.age_s < WARM_UP_S else "degraded"


def _batch_job(pid: int) -> ServiceHealth:
    """Return the batch job that Dagster runs, whose memory is not Dagster's."""
    return ServiceHealth("batch job", "running", None, pid, tree_pss_mb(pid), JOB_BUDGET_MB)


def _streams(
    settings: Settings, services: Sequence[ServiceHealth], host: str, run: Run | None
) -> tuple[Stream, ...]:
    """Read the progress of the queries that a service runs."""
    now = time.time()
    state = next((each.state for each in services if each.name == host), "stopped")
    gone = state if state in ("stopped", "failed") else None
    since = now - run.age_s if run else 0.0
    return tuple(read_streams(settings, now=now, gone=gone, since=since))
