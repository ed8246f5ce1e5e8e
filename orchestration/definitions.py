"""Everything that Dagster loads, put together."""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from orchestration import (
    batch,
    checks,
    first_checks,
    housekeeping,
    links,
    model_training,
    registrations,
    schedules,
    spark,
    streams,
    watching,
)
from orchestration.tables import table_spec, topic_specs
from telemetry import tables
from telemetry.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of this installation."""
    return build(Settings())


def build(settings: Settings) -> dg.Definitions:
    """Return the definitions for some settings."""
    executed = [*batch.batch_assets(), *_streams(settings)]
    here = frozenset(key for assets in executed for key in _keys(assets))
    scheduled = settings.streams == "scheduled"
    return dg.Definitions(
        assets=dg.map_asset_specs(
            lambda spec: links.linked(spec, settings), [*topic_specs(), *_ops_specs(), *executed]
        ),
        asset_checks=[checks.suites()],
        jobs=[
            *schedules.jobs(),
            model_training.job(settings),
            *([streams.job()] if scheduled else []),
        ],
        schedules=schedules.schedules(),
        sensors=[
            watching.watch_sensor(settings, here),
            registrations.replay_sensor(settings),
            first_checks.first_checks_sensor(settings),
            housekeeping.dead_runs_sensor(),
            housekeeping.forget_sensor(),
            *([streams.sensor(settings)] if scheduled else []),
        ],
        resources={
            "spark": replace(spark.spark_submit(settings), data_docs=links.data_docs(settings))
        },
        executor=dg.in_process_executor,
    )


def _streams(settings: Settings) -> Sequence[dg.AssetsDefinition | dg.AssetSpec]:
    return [streams.micro_batch(settings)] if settings.streams == "scheduled" else streams.specs()


def _ops_specs() -> Sequence[dg.AssetSpec]:
    written_elsewhere = (tables.QUALITY, tables.JOB_RUNS)
    return [table_spec(table) for table in written_elsewhere]


def _keys(assets: dg.AssetsDefinition | dg.AssetSpec) -> set[dg.AssetKey]:
    return set(assets.keys) if isinstance(assets, dg.AssetsDefinition) else set()
