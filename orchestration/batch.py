"""The batch jobs: each an asset whose body is one `spark-submit`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from orchestration import checks
from orchestration.spark import POOL, RETRY, SparkSubmit, Told
from orchestration.tables import DAYS, OWNER, asset_key, table_name, table_spec
from telemetry import tables
from telemetry.tables import Table


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A job of `spark_jobs`, when it runs, and the tables to hold to their suites afterwards.

    `makes` are the tables that it writes; one that only tends tables makes an asset of its name.
    `verdict` names a blocking check that the job itself decides, by `success` and `wrong`.
    `words` are what it is always asked with. `by_day`: its runs and backfills name dates;
    otherwise the job itself finds what is due.
    """

    name: str
    description: str
    cron: str
    makes: tuple[Table, ...] = ()
    checks: tuple[Table, ...] = ()
    verdict: str = ""
    by_day: bool = False
    words: tuple[str, ...] = ()


MOST_DAYS = 31
REPLAY = "replay"
_SILVER = (tables.READINGS, tables.LATE)
_GOLD = (*tables.DEVICE_WINDOWS.values(), *tables.ZONE_WINDOWS.values())
BATCH_JOBS = (
    BatchJob(
        "summaries",
        "Summaries by hour and by day, of zones and of products.",
        "10 * * * *",
        makes=tables.SUMMARIES,
        checks=tables.SUMMARIES,
        by_day=True,
    ),
    BatchJob(
        "baselines",
        "What is usual for each device in each hour of the week, from the last eight weeks.",
        "40 1 * * *",
        makes=(tables.BASELINES,),
        checks=(tables.BASELINES,),
    ),
    BatchJob(
        "dedup",
        "Proves that no key is in silver twice; removes and counts what a replay left.",
        "15 2 * * *",
        makes=(tables.DEVICE_DUPLICATES,),
        checks=(*_SILVER, tables.DEVICE_DUPLICATES),
        by_day=True,
    ),
    BatchJob(
        "conservation",
        "Proves that each message of bronze is in exactly one table of silver, hour by hour, and"
        " that what gateways acknowledged is there.",
        "20 * * * *",
        makes=(tables.CONSERVATION, tables.GATEWAY_CONSERVATION),
        verdict="conserved",
    ),
    BatchJob(
        "compact",
        "Rewrites closed partitions into few large sorted files.",
        "5 * * * *",
        checks=(tables.MESSAGES, *_SILVER, *_GOLD),
        by_day=True,
    ),
    BatchJob(
        "alerts",
        "Merges the lives of alerts from Kafka into gold.alerts, which the streams do too, sooner.",
        "3-59/15 * * * *",
        makes=(tables.ALERTS,),
    ),
    BatchJob(
        REPLAY,
        "Lands messages of devices that were unknown and are registered now; also at once when"
        " they are.",
        "50 4 * * *",
        checks=_SILVER,
        words=("--rejected", "--registered"),
    ),
    BatchJob("vacuum", "Deletes files that no version needs any more.", "15 3 * * *"),
    BatchJob(
        "retention",
        "Drops partitions that are older than their class is kept.",
        "45 3 * * *",
        checks=(*_SILVER, *_GOLD),
    ),
)


def batch_assets() -> Sequence[dg.AssetsDefinition]:
    """Return an assets definition for each batch job."""
    return [_assets(job) for job in BATCH_JOBS]


def asset_keys(job: BatchJob) -> Sequence[dg.AssetKey]:
    """Return the keys of what a job makes."""
    if job.makes:
        return [asset_key(table.name) for table in job.makes]
    return [dg.AssetKey(["maintenance", job.name])]


def verdicts(job: BatchJob) -> Sequence[dg.AssetCheckSpec]:
    """Return the check that the job itself decides."""
    if not job.verdict:
        return []
    asset = asset_keys(job)[0]
    return [dg.AssetCheckSpec(job.verdict, asset=asset, blocking=True, description=job.description)]


def _specs(job: BatchJob) -> Sequence[dg.AssetSpec]:
    if job.makes:
        return [table_spec(table) for table in job.makes]
    return [
        dg.AssetSpec(
            key=key,
            description=job.description,
            group_name="maintenance",
            owners=[OWNER],
            kinds={"spark"},
        )
        for key in asset_keys(job)
    ]


def _assets(job: BatchJob) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"run_{job.name}",
        specs=_specs(job),
        check_specs=verdicts(job),
        partitions_def=DAYS if job.by_day else None,
        backfill_policy=dg.BackfillPolicy.single_run() if job.by_day else None,
        pool=POOL,
        retry_policy=RETRY,
        description=job.description,
    )
    def run(
        context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkSubmit]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult | dg.AssetCheckEvaluation]:
        days = _days(context)
        words = [*job.words, *(["--exit-zero"] if job.verdict else [])]
        told = spark.run(context, job.name, *words, *days)
        for key in asset_keys(job):
            metadata = _metadata(told, table_name(key))
            for day in [] if days or not job.by_day else _done(told):
                context.log_event(dg.AssetMaterialization(key, partition=day, metadata=metadata))
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
        if job.verdict:
            yield checks.told(asset_keys(job)[0], job.verdict, told)
        if job.checks:
            yield from checks.follow(context, spark, job.checks, *days)

    return run


def _days(context: dg.AssetExecutionContext) -> tuple[str, ...]:
    if not context.has_partition_key:
        return ()
    days = context.partition_key_range
    return ("--from", days.start, "--to", days.end)


def _done(told: Told) -> list[str]:
    """Return the days that a job found due itself, the newest ones if they are many."""
    ranges = told.get("days")
    days = [
        (date.fromisoformat(first) + timedelta(days=n)).isoformat()
        for first, last in (ranges if isinstance(ranges, list) else [])
        for n in range((date.fromisoformat(last) - date.fromisoformat(first)).days + 1)
    ]
    return sorted(days)[-MOST_DAYS:]


def _metadata(told: Told, name: str) -> dict[str, int | float | str | dg.JsonMetadataValue]:
    """Return a job's figures as they belong to one of its assets: numbers are plotted."""
    tables_told = told.get("tables")
    by_table = tables_told if isinstance(tables_told, Mapping) else {}
    shared = {key: value for key, value in told.items() if key != "tables"}
    own = by_table.get(name, {"tables": by_table} if by_table else {})
    return {
        key: value if isinstance(value, int | float | str) else dg.MetadataValue.json(value)
        for key, value in {**shared, **own}.items()
    }
