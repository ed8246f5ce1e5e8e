"""Forgets runs that nobody will look at again, so that Dagster's own store stays small."""

from datetime import UTC, datetime, timedelta

import dagster as dg

KEEP = timedelta(days=7)
AT_ONCE = 500
_FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


def forget_sensor() -> dg.SensorDefinition:
    """Delete runs that ended more than `KEEP` ago."""

    @dg.sensor(
        name="forget_old_runs",
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Deletes runs older than {KEEP.days} days from Dagster's store.",
    )
    def forget_old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        before = datetime.now(UTC) - KEEP
        old = dg.RunsFilter(statuses=list(_FINISHED), created_before=before)
        runs = context.instance.get_runs(old, limit=AT_ONCE)
        for run in runs:
            context.instance.delete_run(run.run_id)
        return dg.SkipReason(f"{len(runs)} runs forgotten")

    return forget_old_runs
