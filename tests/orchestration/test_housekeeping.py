import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO, cast

import dagster as dg
from dagster._core.events import EngineEventData
from dagster._core.storage.compute_log_manager import ComputeIOType

from orchestration.forgetting import free
from orchestration.housekeeping import dead_runs_sensor, forget_sensor

GOLD = dg.AssetKey(["gold", "device_minute"])


def started(instance: dg.DagsterInstance, pid: int) -> dg.DagsterRun:
    run = dg.DagsterRun(job_name="compact", status=dg.DagsterRunStatus.STARTING)
    instance.add_run(run)
    instance.report_engine_event("Started process", run, EngineEventData({"pid": str(pid)}))
    event = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, "compact")
    instance.report_dagster_event(event, run.run_id)
    return run


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_whose_process_is_gone_has_failed() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    with dg.instance_for_test() as instance:
        run = started(instance, process.pid)
        dead_runs_sensor()(dg.build_sensor_context(instance))
        assert status(instance, run) == dg.DagsterRunStatus.FAILURE


def test_a_run_whose_process_lives_goes_on() -> None:
    with dg.instance_for_test() as instance:
        run = started(instance, os.getpid())
        dead_runs_sensor()(dg.build_sensor_context(instance))
        assert status(instance, run) == dg.DagsterRunStatus.STARTED


def files_of(home: str, run: dg.DagsterRun) -> list[Path]:
    return [path for path in Path(home).rglob("*") if run.run_id in str(path) and path.is_file()]


def with_logs(instance: dg.DagsterInstance) -> dg.DagsterRun:
    run = started(instance, os.getpid())
    key = [run.run_id, "compute_logs", "step"]
    with instance.compute_log_manager.open_log_stream(key, ComputeIOType.STDERR) as stream:
        cast("TextIO", stream).write("what Spark says")
    return run


def test_of_a_forgotten_run_no_file_is_left_and_of_others_all() -> None:
    with dg.instance_for_test() as instance:
        forgotten, known = with_logs(instance), with_logs(instance)
        before = files_of(instance.root_directory, known)
        assert len(files_of(instance.root_directory, forgotten)) >= 2

        instance.delete_run(forgotten.run_id)
        forget_sensor()(dg.build_sensor_context(instance))

        assert files_of(instance.root_directory, forgotten) == []
        assert files_of(instance.root_directory, known) == before
        assert len(instance.all_logs(known.run_id)) == 2


def test_tags_of_a_forgotten_run_go_with_it() -> None:
    with dg.instance_for_test() as instance:
        for name in ("a", "b"):
            run = dg.DagsterRun(job_name=name, tags={name: "1"})
            instance.add_run(run)
        instance.delete_run(run.run_id)

        free(instance, datetime.now(UTC))

        assert instance.get_run_tag_keys() == ["a"]


def test_of_events_outside_runs_the_new_ones_stay_and_the_newest_of_each_table() -> None:
    with dg.instance_for_test() as instance:
        for rows in (1, 2, 3):
            seen = dg.AssetMaterialization(GOLD, metadata={"rows": rows})
            instance.report_runless_asset_event(seen)

        free(instance, datetime.now(UTC) - timedelta(days=1))
        assert len(instance.fetch_materializations(GOLD, limit=10).records) == 3
        free(instance, datetime.now(UTC) + timedelta(days=1))

        left = instance.fetch_materializations(GOLD, limit=10).records
        said = [record.asset_materialization for record in left]
        assert [one.metadata["rows"].value for one in said if one] == [3]
        assert instance.all_logs("") == []


def test_of_results_of_a_check_the_newest_stays() -> None:
    check = dg.AssetCheckKey(GOLD, "suite")
    with dg.instance_for_test() as instance:
        for passed in (False, False, True):
            result = dg.AssetCheckEvaluation(
                asset_key=GOLD, check_name="suite", passed=passed, metadata={}
            )
            instance.report_runless_asset_event(result)

        free(instance, datetime.now(UTC) + timedelta(days=1))

        storage = instance.event_log_storage
        left = storage.get_asset_check_execution_history(check, limit=10)
        assert [one.status.value for one in left] == ["SUCCEEDED"]
