import os
import subprocess
import sys

import dagster as dg
from dagster._core.events import EngineEventData

from orchestration.housekeeping import dead_runs_sensor


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
