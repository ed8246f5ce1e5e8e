"""When each batch job runs; all schedules run from the first start."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration import checks
from orchestration.batch import BATCH_JOBS, BatchJob, asset_keys, verdicts
from orchestration.streams import UNFINISHED
from telemetry.tables import TABLES

QUALITY = "quality"
_RUNNING = dg.DefaultScheduleStatus.RUNNING


def jobs() -> Sequence[UnresolvedAssetJobDefinition]:
    """Return a job for each batch job, and one of all checks."""
    return [*(_job(job) for job in BATCH_JOBS), _quality()]


def schedules() -> Sequence[dg.ScheduleDefinition]:
    """Return a schedule for each job."""
    return [
        *(_schedule(job.name, job.cron, job.description) for job in BATCH_JOBS),
        _schedule(QUALITY, "30 * * * *", "Every table's suite over what changed."),
    ]


def _job(job: BatchJob) -> UnresolvedAssetJobDefinition:
    made = dg.AssetSelection.assets(*asset_keys(job)).without_checks()
    if job.verdict:
        made = made | dg.AssetSelection.checks(*(spec.key for spec in verdicts(job)))
    return dg.define_asset_job(job.name, selection=made, description=job.description)


def _quality() -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        QUALITY,
        selection=dg.AssetSelection.checks(*checks.check_keys(TABLES)),
        description="Holds every table to its suite, over the partitions that changed.",
    )


def _schedule(job: str, cron: str, description: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{job}_schedule",
        job_name=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=_RUNNING,
        description=description,
    )
    def due(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=job, statuses=list(UNFINISHED))
        if context.instance.get_runs(unfinished, limit=1):
            return dg.SkipReason(f"the last run of {job} is not over")
        return dg.RunRequest()

    return due
