"""The stream application as a service, and what its queries say of themselves."""

import json
import time
from dataclasses import dataclass, replace

from infra import gentle_stop
from infra.spark_submit import spark_submit_command
from infra.stack import Mode
from infra.supervision.service import Service
from telemetry.settings import Settings

STALE_S = 15.0
BUDGETS_MB: dict[Mode, int] = {"full": 2253, "light": 1698}
"""Light has the gateway and the queries beside it, and 2 GiB in all."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A query's newest progress."""

    name: str
    state: str
    input_rows_per_s: float | None
    lag_messages: int | None
    """None where nobody knows it: the broker is away, or the stream was refused."""
    age_s: float | None
    event_time: str | None
    error: str | None = None
    at: float = 0.0

    @property
    def is_done(self) -> bool:
        """Say whether it took up what the light path left behind, and has ended."""
        return self.name == "landing_spool" and self.state == "stopped" and self.lag_messages == 0


def streams_service(settings: Settings, mode: Mode) -> Service:
    """Return the stream application as a service; ready once its queries run."""
    heap = settings.stream_heap_mb if mode == "full" else min(settings.stream_heap_mb, 640)
    return Service(
        name="streams",
        command=lambda: gentle_stop.command(spark_submit_command(settings, "stream", heap_mb=heap)),
        stops_group=False,
        budget_mb=BUDGETS_MB[mode],
        # A stack that changes its mode must start them anew.
        environment={"HEADWATER_STACK_MODE": mode},
        after=("kafka",) if mode == "full" else (),
        complaint=lambda: streams_complaint(settings, mode),
        before_start=lambda: forget_progress(settings),
        stop_wait_s=45,
    )


def forget_progress(settings: Settings) -> None:
    """Remove what an earlier run said, so that it is not taken for this one's."""
    for path in settings.progress_dir.glob("*.json"):
        path.unlink(missing_ok=True)


def streams_complaint(settings: Settings, mode: Mode) -> str | None:
    """Say which query does not run; None if all do."""
    known = {stream.name: stream for stream in read_streams(settings, now=time.time())}
    for name in expected_queries(mode):
        state = known[name].state if name in known else "starting"
        if state != "running":
            error = known[name].error if name in known else None
            return f"{name} is {state}{f': {error}' if error else ''}"
    return None


def expected_queries(mode: Mode) -> tuple[str, ...]:
    """Return the queries that a mode always has."""
    return ("landing" if mode == "full" else "landing_spool", "gold")


def read_streams(
    settings: Settings, *, now: float, gone: str | None = None, since: float = 0.0
) -> list[Stream]:
    """Return each query's newest progress; one that has gone silent is degraded.

    `gone` is the state of an application that does not run: its queries share it. What was
    written before `since`, the application's start, is an earlier run's.
    """
    found = (_read(path.read_bytes()) for path in sorted(settings.progress_dir.glob("*.json")))
    streams = [stream for stream in found if stream]
    if gone:
        return [replace(stream, state=gone, input_rows_per_s=0.0) for stream in streams]
    if settings.streams == "scheduled":
        silent_since = now - 3 * settings.streams_interval_s - 60
        streams = [_between_runs(stream) for stream in streams]
    else:
        silent_since = now - STALE_S
    return [_judged(stream, silent_since, since) for stream in streams]


def _between_runs(stream: Stream) -> Stream:
    """Take a query that ended for one that is well: a scheduled one ends with each run."""
    is_waiting = stream.state == "stopped" and not stream.is_done
    return replace(stream, state="running") if is_waiting else stream


def _judged(stream: Stream, silent_since: float, since: float) -> Stream:
    if stream.is_done:
        return stream
    if stream.at < since:
        return replace(stream, state="starting", input_rows_per_s=0.0)
    if stream.at < silent_since and stream.state == "running":
        return replace(stream, state="degraded")
    return stream


def _read(text: bytes) -> Stream | None:
    try:
        found = json.loads(text)
        return Stream(
            name=found["name"],
            state=found["state"],
            input_rows_per_s=found.get("input_rows_per_s"),
            lag_messages=found.get("lag_messages") if found.get("is_lag_known", True) else None,
            age_s=found.get("age_s"),
            event_time=found.get("event_time"),
            error=found.get("error"),
            at=float(found["at"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
