"""Keeps Dagster's own store true and small: runs whose process is gone, runs of long ago."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import psutil

from orchestration.forgetting import free
from orchestration.streams import JOB as STREAMS

KEEP_STREAMS = timedelta(days=1)
"""A micro-batch a minute is a run a minute; the tables' row counts are kept apart."""
KEEP = timedelta(days=14)
AT_ONCE = 500
_FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
_IN_A_PROCESS = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def dead_runs_sensor() -> dg.SensorDefinition:
    """Fail runs whose process is gone, such as after the whole stack was killed.

    While the code server lives it notices this itself; without it, a dead run would hold the
    machine's only place for ever.
    """

    @dg.sensor(
        name="fail_dead_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed whose process is gone.",
    )
    def fail_dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        instance = context.instance
        running = instance.get_run_records(dg.RunsFilter(statuses=list(_IN_A_PROCESS)))
        dead = [record for record in running if _is_dead(instance, record)]
        for record in dead:
            instance.report_run_failed(record.dagster_run, "The run's process is gone.")
        return dg.SkipReason(f"{len(dead)} of {len(running)} runs are dead")

    return fail_dead_runs


def _is_dead(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    pid = _pid(instance, record.dagster_run.run_id)
    if pid is None or record.start_time is None:
        return False
    try:
        return psutil.Process(pid).create_time() > record.start_time
    except psutil.NoSuchProcess:
        return True


def _pid(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """Return the process that the run's events name last."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    for entry in reversed(events):
        pid = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if pid is not None:
            return int(str(pid.value))
    return None


def forget_sensor() -> dg.SensorDefinition:
    """Delete runs that ended long ago, with all that is left of them."""

    @dg.sensor(
        name="forget_old_runs",
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Deletes runs older than {KEEP.days} days, micro-batches after one.",
    )
    def forget_old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        old = (
            dg.RunsFilter(statuses=list(_FINISHED), created_before=now - KEEP),
            dg.RunsFilter(
                statuses=list(_FINISHED), created_before=now - KEEP_STREAMS, job_name=STREAMS
            ),
        )
        runs = [run for one in old for run in context.instance.get_runs(one, limit=AT_ONCE)]
        for run_id in {run.run_id for run in runs}:
            context.instance.delete_run(run_id)
        freed = free(context.instance, now - KEEP)
        return dg.SkipReason(f"{len(runs)} runs forgotten, files of {freed} deleted")

    return forget_old_runs
