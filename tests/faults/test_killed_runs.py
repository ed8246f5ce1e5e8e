"""Runs of Dagster killed in the middle of their job: run again, they leave one result."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal

from infra.batch_job import batch_jobs
from infra.processes import tree_pids
from telemetry.settings import Settings
from telemetry.tables import (
    DEVICE_DUPLICATES,
    DEVICE_WINDOWS,
    DUPLICATES,
    JOB_RUNS,
    READINGS,
    SUMMARIES,
    SUMMARY_ZONE_DAY,
    SUMMARY_ZONE_HOUR,
    ZONE_WINDOWS,
    Table,
)
from tests.end_to_end.stack import Stack, free_port_base
from tests.faults.dagster_runs import DagsterRuns
from tests.faults.inotify import FolderWatch
from tests.faults.killed_lake import FILES, KEY, KilledLake
from tests.faults.points import JOB_FILES, Point
from tests.faults.watcher import wait

pytestmark = [
    pytest.mark.faults,
    pytest.mark.long,
    pytest.mark.stack,
    pytest.mark.timeout(1200),
]
FILE_WITHIN_S = 300.0
TOLD_WITHIN_S = 180.0
"""The code server is started again, and a sensor that runs every 30 s looks at the run."""
RUN_WITHIN_S = 420.0
NUMBERS = ["count", "sum", "min", "max", "mean", "stddev"]
COMMIT = r"gold/summary_[^/]+/_delta_log/\d{20}\.json"
POINTS = {
    **{job: Point(job, "lake", pattern) for job, pattern in JOB_FILES.items()},
    "summaries": Point("summaries", "lake", COMMIT),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A stack of Dagster alone over a lake whose truth is known."""

    stack: Stack
    runs: DagsterRuns
    lake: KilledLake

    @property
    def code_server(self) -> int:
        """Return the process below which every run is."""
        status = self.stack.run("status", "--json", check=False).json
        assert isinstance(status, dict)
        (pid,) = (one["pid"] for one in status["services"] if one["name"] == "dagster-code")
        assert isinstance(pid, int)
        return pid

    def ended_well(self, job: str) -> int:
        """Return how many runs of a job have told of a good end."""
        rows = self.lake.rows(JOB_RUNS)
        return rows.filter((pl.col("job") == job) & pl.col("success")).height


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    home = tmp_path_factory.mktemp("killed")
    stack = Stack(home, free_port_base())
    settings = Settings(home=home, port_base=stack.port_base)
    lake = KilledLake(settings)
    lake.fill()
    try:
        stack.run("up", "--only", "dagster", timeout_s=600)
        runs = DagsterRuns(f"http://127.0.0.1:{settings.port('dagster')}")
        runs.stop_schedules()
        yield Ground(stack, runs, lake)
    finally:
        stack.run("down", check=False)


def whole_group(code_server: int) -> list[psutil.Process]:
    """Kill the code server, the run and its job: all of one process group."""
    killed = _processes(tree_pids(code_server))
    os.killpg(os.getpgid(code_server), signal.SIGKILL)
    return killed


def run_and_job(code_server: int) -> list[psutil.Process]:
    """Kill a run and its job; the code server lives."""
    killed = _processes(tree_pids(_run_of(code_server)))
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return killed


def run_alone(code_server: int) -> list[psutil.Process]:
    """Kill a run; its job goes on, and nobody waits for it."""
    run = _processes([_run_of(code_server)])
    run[0].kill()
    return run


def _run_of(code_server: int) -> int:
    (job,) = batch_jobs(code_server)
    return psutil.Process(job).ppid()


def _processes(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def strike(ground: Ground, job: str, kill: Callable[[int], list[psutil.Process]]) -> str:
    """Launch a job, kill it when a file of its work appears, and return the run."""
    code_server, before = ground.code_server, ground.ended_well(job)
    lake = ground.stack.home / "lake"
    watch = FolderWatch([lake])
    run = ground.runs.launch(job)
    file = wait(watch, lake, POINTS[job], 1, FILE_WITHIN_S)
    assert file, f"{job} writes nothing: {ground.runs.status(run)}"
    killed = kill(code_server)
    gone, alive = psutil.wait_procs(killed, timeout=10)
    assert gone
    assert not alive
    assert ground.ended_well(job) == before, f"{job} had ended before it was killed"
    return run


def again(ground: Ground, job: str, killed: str) -> None:
    """Hold that the killed run is told as such, and that the next one ends well."""
    assert ground.runs.end(killed, within_s=TOLD_WITHIN_S) in ("FAILURE", "CANCELED")
    before = ground.ended_well(job)
    assert ground.runs.end(ground.runs.launch(job), within_s=RUN_WITHIN_S) == "SUCCESS"
    assert ground.ended_well(job) > before


def assert_lock_is_free(home: Path) -> None:
    with (home / "run" / "spark-job.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def assert_readings_are_the_truth(ground: Ground) -> None:
    """Compare whole rows."""
    found = ground.lake.rows(READINGS)
    assert_frame_equal(found, ground.lake.truth, check_row_order=False)


def assert_gold_is_the_truth(ground: Ground) -> None:
    for subject, windows in (("device_full", DEVICE_WINDOWS), ("zone", ZONE_WINDOWS)):
        for width in ("minute", "hour", "day"):
            assert_windows(ground, windows[width], subject, width)


def assert_windows(ground: Ground, table: Table, subject: str, width: str) -> None:
    """Compare a table's numbers with those of pandas."""
    expected = ground.lake.statistics(subject, width)[NUMBERS]
    key = [str(name) for name in expected.index.names]
    rows = ground.lake.rows(table)
    found = rows.select(*key, *NUMBERS).to_pandas().set_index(key).sort_index()
    assert found.index.equals(expected.index)
    same = np.isclose(found.astype(float), expected.astype(float), rtol=1e-9, equal_nan=True)
    assert same.all(), (table.name, found[~same.all(axis=1)], expected[~same.all(axis=1)])


def test_compaction_killed_with_all_around_it_leaves_the_same_rows(ground: Ground) -> None:
    files = ground.lake.lake.files(READINGS).height

    killed = strike(ground, "compact", whole_group)
    assert_lock_is_free(ground.stack.home)
    assert_readings_are_the_truth(ground)

    again(ground, "compact", killed)
    assert_readings_are_the_truth(ground)
    assert_gold_is_the_truth(ground)
    assert ground.lake.lake.files(READINGS).height <= files / FILES + 1


@pytest.mark.parametrize("kill", [whole_group, run_and_job, run_alone])
def test_dedup_killed_counts_each_copy_once(
    ground: Ground, kill: Callable[[int], list[psutil.Process]]
) -> None:
    counted = ground.lake.rows(DEVICE_DUPLICATES)["removed"].sum()
    aside = ground.lake.rows(DUPLICATES).height
    copies = ground.lake.append_copies()

    killed = strike(ground, "dedup", kill)
    kept = ground.lake.rows(READINGS).select(KEY).unique()
    assert kept.height == ground.lake.truth.height, "a key is gone"

    again(ground, "dedup", killed)
    assert_readings_are_the_truth(ground)
    assert_gold_is_the_truth(ground)
    assert ground.lake.rows(DUPLICATES).height == aside + copies
    assert ground.lake.rows(DEVICE_DUPLICATES)["removed"].sum() == counted + copies


def test_summaries_killed_between_two_tables_are_whole(ground: Ground) -> None:
    killed = strike(ground, "summaries", whole_group)
    assert_lock_is_free(ground.stack.home)

    again(ground, "summaries", killed)
    assert_windows(ground, SUMMARY_ZONE_HOUR, "zone", "hour")
    assert_windows(ground, SUMMARY_ZONE_DAY, "zone", "day")
    for table in SUMMARIES:
        rows = ground.lake.rows(table)
        assert rows.height
        assert not rows.select(table.key).is_duplicated().any(), table.name
