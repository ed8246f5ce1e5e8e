"""The streams: watched while they are always on, run as micro-batches when scheduled."""

from collections.abc import Iterator, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration import lineage
from orchestration.spark import POOL, SparkSubmit
from orchestration.tables import asset_key, stream_specs, table_spec
from telemetry.settings import Settings
from telemetry.tables import BY_NAME

JOB = "streams"
_AHEAD_OF_BATCH_JOBS = {"dagster/priority": "10"}
UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def specs() -> Sequence[dg.AssetSpec]:
    """Describe the streams and every table that they fill."""
    filled = (*lineage.LANDED, *lineage.AGGREGATED)
    return [*stream_specs(), *(table_spec(BY_NAME[name]) for name in filled)]


def micro_batch() -> dg.AssetsDefinition:
    """Make the streams an asset that Dagster runs: all that has come in, then stop."""

    @dg.multi_asset(
        name="run_streams",
        specs=[spec.replace_attributes(skippable=True) for spec in specs()],
        pool=POOL,
        description="Lands what has come in since the last run and brings gold up to it.",
    )
    def streams(
        context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkSubmit]
    ) -> Iterator[dg.MaterializeResult[None]]:
        invocation = spark.run(context, "stream", "--trigger", "available-now")
        for result in invocation.get_results():
            if isinstance(result, dg.MaterializeResult) and _has_news(result):
                yield result

    return streams


def _has_news(result: dg.MaterializeResult[None]) -> bool:
    """Tell whether the run wrote the table; the streams themselves are told of every run."""
    is_stream = result.asset_key in (asset_key(lineage.LANDING), asset_key(lineage.GOLD))
    return is_stream or bool((result.metadata or {}).get("rows"))


def job() -> UnresolvedAssetJobDefinition:
    """Return the job of one micro-batch; it goes before batch jobs that wait for the machine."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(*(spec.key for spec in specs())).without_checks(),
        tags=_AHEAD_OF_BATCH_JOBS,
        description="One micro-batch of landing and gold.",
    )


def sensor(settings: Settings) -> dg.SensorDefinition:
    """Start a micro-batch at each interval, unless the last one is not over."""

    @dg.sensor(
        name="every_interval",
        job_name=JOB,
        minimum_interval_seconds=settings.streams_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs landing and gold as micro-batches, never two at once.",
    )
    def every_interval(
        context: dg.SensorEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=JOB, statuses=list(UNFINISHED))
        if context.instance.get_runs(unfinished, limit=1):
            return dg.SkipReason("the last micro-batch is not over")
        return dg.RunRequest()

    return every_interval
