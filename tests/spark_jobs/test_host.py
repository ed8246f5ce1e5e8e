"""The host starts failed queries again, and says how they are."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from py4j.protocol import Py4JNetworkError  # type: ignore[import-untyped]
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs.host import FAILED_AFTER, HOPELESS_AFTER, Hosted, StreamError, cause
from spark_jobs.jobs.progress_files import Run, progress
from spark_jobs.jobs.query import Figures, Trigger
from spark_jobs.jobs.stream import own
from spark_jobs.refusal import CheckpointError, InUseError, RefusalError

BROKER_AWAY = "org.apache.kafka.common.errors.TimeoutException: Timed out"
FIGURES = Figures(lag_messages=3, received_at=9_000_000, event_time=8_500_000)


class FakeQuery:
    """Starts what it is given, one after the other; an error fails the start."""

    def __init__(self, *starts: Exception | SimpleNamespace, name: str = "landing") -> None:
        self.name = name
        self.starts = list(starts)
        self.refusal: InUseError | None = None
        self.is_owned = False

    def own(self) -> None:
        if self.refusal:
            raise self.refusal
        self.is_owned = True

    def close(self) -> None:
        self.is_owned = False

    def start(self, spark: SparkSession, trigger: Trigger) -> StreamingQuery:
        start = self.starts.pop(0)
        if isinstance(start, Exception):
            raise start
        return cast(StreamingQuery, start)

    def figures(self) -> Figures:
        return FIGURES


def running(**changes: object) -> SimpleNamespace:
    plain: dict[str, object] = {
        "isActive": True,
        "lastProgress": None,
        "status": {"isTriggerActive": False},
        "stop": lambda: None,
        "exception": lambda: None,
    }
    return SimpleNamespace(**plain | changes)


def hosted(tmp_path: Path, *starts: Exception | SimpleNamespace) -> Hosted:
    return Hosted(FakeQuery(*starts), cast(SparkSession, None), tmp_path)


def step(one: Hosted, now: float) -> None:
    """Step until a start has come to its end."""
    one.step(now)
    until = time.monotonic() + 30
    while one.is_starting and time.monotonic() < until:
        one.step(now)


def said(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / "landing.json").read_text())
    return found


def test_query_runs_and_is_stopped(tmp_path: Path) -> None:
    latest = {"batchId": 4, "inputRowsPerSecond": 12.34}
    one = hosted(tmp_path, running(lastProgress=latest))
    step(one, 0.0)
    one.step(1.0)
    found = said(tmp_path)
    assert (found["state"], found["batch_id"], found["input_rows_per_s"]) == ("running", 4, 12.3)
    assert found["lag_messages"] == 3
    one.stop(1.0)
    assert said(tmp_path)["state"] == "stopped"


def test_failed_query_starts_again_after_a_pause(tmp_path: Path) -> None:
    failed = running(isActive=False, exception=lambda: ValueError("no such column"))
    one = hosted(tmp_path, failed, running(lastProgress={"batchId": 1}))
    step(one, 0.0)
    step(one, 1.0)
    assert (said(tmp_path)["state"], said(tmp_path)["error"]) == ("degraded", "no such column")
    step(one, 1.5)
    assert said(tmp_path)["state"] == "degraded", "it waits"
    step(one, 2.1)
    step(one, 2.2)
    assert (said(tmp_path)["state"], said(tmp_path)["error"]) == ("running", None)


def fail(one: Hosted, times: int) -> None:
    for turn in range(times):
        step(one, turn * 1000.0)


def test_query_that_fails_on_and_on_is_failed_and_then_hopeless(tmp_path: Path) -> None:
    one = hosted(tmp_path, *[ValueError("no such column")] * HOPELESS_AFTER)
    fail(one, FAILED_AFTER)
    assert said(tmp_path)["state"] == "failed"
    with pytest.raises(StreamError, match="no such column"):
        fail(one, HOPELESS_AFTER)


def test_broker_may_stay_away_for_ever(tmp_path: Path) -> None:
    one = hosted(tmp_path, *[ValueError(BROKER_AWAY)] * 2 * HOPELESS_AFTER)
    fail(one, 2 * HOPELESS_AFTER)
    assert said(tmp_path)["state"] == "degraded"


def test_lost_jvm_is_not_waited_for(tmp_path: Path) -> None:
    one = hosted(tmp_path, Py4JNetworkError("Answer from Java side is empty"))
    with pytest.raises(Py4JNetworkError):
        step(one, 0.0)


def test_progress_says_age_and_is_idle_when_nothing_is_left() -> None:
    found = progress("landing", Run("running"), FIGURES, 10.0)
    assert (found["age_s"], found["event_time"]) == (1.0, "1970-01-01T00:00:08.500000+00:00")
    assert not found["idle"]
    assert progress("landing", Run("running"), Figures(), 10.0)["idle"]
    assert progress("landing", Run("stopped"), Figures(), 10.0)["idle"]
    assert not progress("landing", Run("degraded"), Figures(), 10.0)["idle"]
    assert not progress("landing", Run("running", is_busy=True), Figures(), 10.0)["idle"]
    is_away = Figures(is_lag_known=False)
    assert not progress("landing", Run("running"), is_away, 10.0)["idle"]


def test_cause_is_the_innermost_that_is_named() -> None:
    text = "[STREAM_FAILED] Query\n\tat a.b(c)\nOSError: disk full\nCaused by: x.Y: z"
    assert (
        cause(ValueError(text)) == "[STREAM_FAILED] Query | OSError: disk full | Caused by: x.Y: z"
    )


def test_cause_in_our_own_code_is_told_without_what_carried_it_through_java() -> None:
    carried = "An exception was raised by the Python Proxy. Return Message: Traceback (most recent"
    text = f"{carried} call last):\n  File x\ntelemetry.errors.HeadwaterError: no offsets 9 to 10\n"
    assert cause(ValueError(text)) == "telemetry.errors.HeadwaterError: no offsets 9 to 10"
    assert cause(ValueError(carried)) == carried


def test_refused_query_is_failed_at_once_and_left_to_whoever_mends_it(tmp_path: Path) -> None:
    refusal = CheckpointError("CHECKPOINT_GAP", "offsets/3 is missing")
    query = FakeQuery(*[refusal] * (HOPELESS_AFTER + 2), running(lastProgress={"batchId": 1}))
    one = Hosted(query, cast(SparkSession, None), tmp_path)
    fail(one, HOPELESS_AFTER + 1)
    found = said(tmp_path)
    assert (found["state"], found["error"]) == ("failed", "[CHECKPOINT_GAP] offsets/3 is missing")
    assert not found["is_lag_known"], "nobody asks the broker"
    assert one.refusal is refusal
    assert not query.is_owned, "the lock is free for the job that mends it"
    step(one, 1e6)
    step(one, 1e6 + 1)
    assert len(query.starts) == 1, "it looks again now and then, never at every step"
    step(one, 2e6)
    one.step(2e6 + 1)
    one.step(2e6 + 2)
    assert (said(tmp_path)["state"], said(tmp_path)["error"]) == ("running", None)
    assert query.is_owned


def test_locks_that_a_job_holds_keep_no_other_query_from_running() -> None:
    refusal = InUseError("CHECKPOINT_IN_USE", "gold runs already")
    landing, gold, alerts = (FakeQuery(name=name) for name in ("landing", "gold", "alerts"))
    gold.refusal = refusal

    own([landing, gold, alerts])

    assert landing.is_owned
    landing.refusal = refusal
    with pytest.raises(InUseError, match="gold runs already"):
        own([landing, gold, alerts])


def test_gold_that_a_job_writes_is_waited_for(tmp_path: Path) -> None:
    files = GoldFiles(tmp_path / "gold")
    with files.owned(), pytest.raises(RefusalError, match="CHECKPOINT_IN_USE") as refused:
        files.owned().__enter__()
    one = hosted(tmp_path, *[refused.value] * 2 * HOPELESS_AFTER)

    fail(one, 2 * HOPELESS_AFTER)

    assert said(tmp_path)["state"] == "failed"


def test_refusal_outlives_the_stop(tmp_path: Path) -> None:
    one = hosted(tmp_path, CheckpointError("CHECKPOINT_GAP", "offsets/3 is missing"))
    step(one, 0.0)
    one.stop(0.1)
    assert said(tmp_path)["state"] == "failed"


def test_full_disk_is_said_plainly_and_waited_for(tmp_path: Path) -> None:
    full = ValueError("[STREAM_FAILED] Query\nCaused by: IOException: No space left on device")
    one = hosted(tmp_path, *[full] * 2 * HOPELESS_AFTER)
    fail(one, 2 * HOPELESS_AFTER)
    assert said(tmp_path)["state"] == "degraded"
    assert "[DISK_FULL]" in str(said(tmp_path)["error"])
