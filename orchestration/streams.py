"""The streams: watched while they are always on, run as micro-batches when scheduled."""

import time
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration import lineage
from orchestration.observation import Figures, flat, table_sizes
from orchestration.spark import POOL, STREAM, SparkSubmit, Told
from orchestration.tables import asset_key, stream_specs, table_spec
from telemetry.settings import Settings
from telemetry.tables import BY_NAME

JOB = "streams"
QUERIES = {
    lineage.LANDING: ("landing", "landing_spool"),
    lineage.GOLD: ("gold",),
    lineage.SCORING: ("scoring",),
}
"""Names of the queries of a stream; the spool is landed beside Kafka."""
FILLED = {
    lineage.LANDING: [BY_NAME[name] for name in lineage.LANDED],
    lineage.GOLD: [BY_NAME[name] for name in lineage.AGGREGATED],
    lineage.SCORING: [BY_NAME[name] for name in lineage.SCORED],
}
"""Tables that a stream fills, each after those that it is made from."""
_BEFORE_BATCH_JOBS = {"dagster/priority": "10"}
UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def specs() -> Sequence[dg.AssetSpec]:
    """Describe the streams and every table that they fill."""
    tables = [table for filled in FILLED.values() for table in filled]
    return [*stream_specs(), *(table_spec(table) for table in tables)]


def micro_batch(settings: Settings) -> dg.AssetsDefinition:
    """Make the streams an asset that Dagster runs: all that has come in, then stop."""

    @dg.multi_asset(
        name="run_streams",
        specs=specs(),
        pool=POOL,
        description="Lands what has come in since the last run; brings gold and alarms up to it.",
    )
    def run_streams(
        context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkSubmit]
    ) -> Iterator[dg.MaterializeResult[None]]:
        told = spark.run(context, STREAM, "--trigger", "available-now")
        for name, filled in FILLED.items():
            metadata = _figures(told, QUERIES[name])
            yield dg.MaterializeResult(asset_key=asset_key(name), metadata=metadata)
            for table, size in table_sizes(settings.lake_root, filled, {}, time.time()):
                key = asset_key(table.name)
                yield dg.MaterializeResult(asset_key=key, metadata=size.metadata())

    return run_streams


def _figures(told: Told, queries: Sequence[str]) -> Figures:
    """Return the figures of the query that ran as a stream."""
    figures = next((told[query] for query in queries if query in told), None)
    return flat(figures) if isinstance(figures, Mapping) else {"state": "not wanted"}


def job() -> UnresolvedAssetJobDefinition:
    """Return the job of one micro-batch; it goes before batch jobs that wait for the machine."""
    keys = [spec.key for spec in specs()]
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(*keys).without_checks(),
        tags=_BEFORE_BATCH_JOBS,
        description="One micro-batch of landing, gold and scoring.",
    )


def sensor(settings: Settings) -> dg.SensorDefinition:
    """Start a micro-batch at each interval, unless the last one is not over."""

    @dg.sensor(
        name="streams_every_interval",
        job_name=JOB,
        minimum_interval_seconds=settings.streams_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs the streams as micro-batches, never two at once.",
    )
    def due(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=JOB, statuses=list(UNFINISHED))
        if context.instance.get_runs(unfinished, limit=1):
            return dg.SkipReason("the last micro-batch is not over")
        return dg.RunRequest()

    return due
