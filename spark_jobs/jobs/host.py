"""Keeps queries running: starts them again after a failure, and says how they are."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError, Py4JNetworkError  # type: ignore[import-untyped]
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from spark_jobs.jobs.progress_files import Run, State, progress, write_progress
from spark_jobs.jobs.query import Figures, Query, Running
from spark_jobs.refusal import RefusalError
from telemetry.errors import HeadwaterError

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
FAILED_AFTER = 5
HOPELESS_AFTER = 20
BROKER_AWAY = (
    "org.apache.kafka.common.errors.TimeoutException",
    "DisconnectException",
    "Timed out waiting for a node assignment",
    "UnknownTopicOrPartitionException",
    "No resolvable bootstrap urls",
    "no broker answers",
)
DISK_FULL = ("No space left on device", "(os error 28)", "Disk quota exceeded", "(os error 122)")
NO_ROOM = "[DISK_FULL] no room is left where the lake or the checkpoints are"
PROXY = "An exception was raised by the Python Proxy"
"""Java's word for a failure of our own code, which names nothing."""
log = logging.getLogger(__name__)
JVM_GONE = (Py4JNetworkError, ConnectionError)
"""What a call raises once the JVM was killed: only a new process has another one."""


class StreamError(HeadwaterError):
    """A query fails again and again."""


class Hosted:
    """One query, its failures in a row, and when it may start again."""

    def __init__(self, query: Query, spark: SparkSession, progress_dir: Path) -> None:
        self.query = query
        self._spark = spark
        self._progress_dir = progress_dir
        self._running: Running | None = None
        self._starting: Future[Running] | None = None
        self._failures = 0
        self._start_at = 0.0
        self._figures = Figures()
        self._error: str | None = None
        self.refusal: RefusalError | None = None

    def step(self, now: float) -> None:
        """Start the query if it is due, notice its end, and write its progress."""
        if self._starting is not None:
            self._take_up(self._starting, now)
        elif self._running is None:
            if now >= self._start_at:
                self._starting = _in_thread(self._start)
        elif not self._running.isActive:
            self._failed(self._running.exception(), now)
        elif self._failures and self._running.lastProgress is not None:
            self._failures, self._error = 0, None
        self.report(self.state)

    @property
    def is_starting(self) -> bool:
        """Tell whether a start has not come to its end."""
        return self._starting is not None

    def _start(self) -> Running:
        self.query.own()
        return self.query.start(self._spark, "always")

    def _take_up(self, starting: Future[Running], now: float) -> None:
        if not starting.done():
            return
        self._starting = None
        error = starting.exception()
        if error is None:
            self._running, self.refusal = starting.result(), None
        else:
            self._failed(error, now)

    def _failed(self, error: BaseException | None, now: float) -> None:
        self._running = None
        if isinstance(error, JVM_GONE):
            raise error
        self._failures += 1
        pause = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 9), LONGEST_PAUSE_S)
        self._start_at = now + pause
        if isinstance(error, RefusalError):
            self._refused(error)
            return
        self.refusal, self._error = None, cause(error)
        log.error("%s failed, tries again in %.0f s: %s", self.query.name, pause, error)
        if self._failures >= HOPELESS_AFTER and not self._is_waiting():
            raise StreamError(f"{self.query.name} failed {self._failures} times: {self._error}")

    def _refused(self, error: RefusalError) -> None:
        """Leave the checkpoint to whoever mends it, and look again from time to time."""
        if str(error) != self._error:
            log.error("%s is refused: %s", self.query.name, error)
        self.refusal, self._error = error, str(error)
        self.query.close()

    def _is_waiting(self) -> bool:
        """Tell whether it goes on by itself, once the broker is back or the disk has room."""
        return any(sign in (self._error or "") for sign in (*BROKER_AWAY, NO_ROOM))

    @property
    def state(self) -> State:
        """Return the state that `status` shows."""
        if not self._failures:
            return "running" if self._running else "starting"
        is_failed = self._failures >= FAILED_AFTER and not self._is_waiting()
        is_failed = is_failed or self.refusal is not None
        return "failed" if is_failed else "degraded"

    def report(self, state: State) -> None:
        """Write the progress file."""
        if self.refusal is None:
            self._ask_figures()
        figures = self._figures
        if self.refusal is not None:
            figures = replace(figures, is_lag_known=False)
        said = progress(self.query.name, self._run(state), figures, time.time())
        try:
            write_progress(self._progress_dir, said)
        except OSError as error:
            log.warning("the progress of %s is not written: %s", self.query.name, error)

    def _ask_figures(self) -> None:
        try:
            self._figures = self.query.figures()
        except Exception as error:
            log.warning("%s does not tell its figures: %s", self.query.name, error)

    def _run(self, state: State) -> Run:
        if self._running is None:
            return Run(state, error=self._error)
        latest: Any = self._running.lastProgress or {}
        return Run(
            state=state,
            batch_id=latest.get("batchId"),
            input_rows_per_s=self._input_rows_per_s(latest),
            is_busy=bool(self._running.status["isTriggerActive"]),
            error=self._error,
        )

    def _input_rows_per_s(self, latest: Mapping[str, Any]) -> float:
        own = self._figures.input_rows_per_s
        return round(latest.get("inputRowsPerSecond") or 0.0 if own is None else own, 1)

    def stop(self, within_s: float) -> None:
        """Stop after the current batch, or in the middle of it when the time is over."""
        until = time.monotonic() + within_s
        try:
            while self._is_busy() and time.monotonic() < until:
                time.sleep(0.05)
            if self._running is not None:
                self._running.stop()
        except (Py4JError, StreamingQueryException, OSError) as error:
            log.warning("%s is cut off: %s", self.query.name, error)
        self._running = None
        self.report("failed" if self.refusal else "stopped")

    def _is_busy(self) -> bool:
        return self._running is not None and bool(self._running.status["isTriggerActive"])


def _in_thread(start: Callable[[], Running]) -> Future[Running]:
    """Start beside the loop, which goes on reporting while a memory is built anew."""
    started: Future[Running] = Future()

    def run() -> None:
        try:
            started.set_result(start())
        except BaseException as error:
            started.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return started


def cause(error: BaseException | None) -> str:
    """Return the first line of a failure, and the innermost cause that Java or Python names."""
    if any(sign in str(error) for sign in DISK_FULL):
        return f"{NO_ROOM}; the stream goes on by itself once there is some: {_told(error)}"
    return _told(error)


def _told(error: BaseException | None) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    inner = [line for line in lines if line.startswith("Caused by:")]
    raised = [line for line in lines if "Error: " in line and not line.startswith("at ")]
    first = [line for line in lines[:1] if not (raised and PROXY in line)]
    told = [*first, *raised[-1:], *inner[-1:]]
    return " | ".join(dict.fromkeys(line[:300] for line in told)) or type(error).__name__
