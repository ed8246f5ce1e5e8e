"""The sensor that tells Dagster what the streams have done to the lake."""

import json
import time
from collections.abc import Iterator

import dagster as dg

from orchestration.observation import TableSize, stream_figures, table_sizes
from orchestration.streams import QUERIES
from orchestration.tables import asset_key
from telemetry.settings import Settings
from telemetry.tables import TABLES

OBSERVE_EVERY_S = 300
Event = dg.AssetMaterialization | dg.AssetObservation


def watch_sensor(
    settings: Settings, materialized_here: frozenset[dg.AssetKey]
) -> dg.SensorDefinition:
    """Report row counts of tables that changed, and rate and lag of streams that run.

    A table that Dagster's own runs write is observed; any other is reported as materialized
    outside, which is what freshness goes by.
    """

    @dg.sensor(
        name="watch_lake",
        minimum_interval_seconds=OBSERVE_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Row counts over time of every table; rate, lag and age of the streams.",
    )
    def watch_lake(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen: dict[str, int] = json.loads(context.cursor or "{}")
        events: list[Event] = list(_streams(settings))
        for table, size in table_sizes(settings.lake_root, TABLES, seen):
            seen[table.name] = size.version
            events.append(_event(asset_key(table.name), size, materialized_here))
        return dg.SensorResult(asset_events=events, cursor=json.dumps(seen))

    return watch_lake


def _event(key: dg.AssetKey, size: TableSize, materialized_here: frozenset[dg.AssetKey]) -> Event:
    if key in materialized_here:
        return dg.AssetObservation(key, metadata=size.metadata())
    return dg.AssetMaterialization(key, metadata=size.metadata())


def _streams(settings: Settings) -> Iterator[Event]:
    if settings.streams == "scheduled":
        return
    for name, queries in QUERIES.items():
        for query in queries:
            figures = stream_figures(settings.progress_dir, query, time.time())
            if figures:
                yield dg.AssetMaterialization(asset_key(name), metadata=figures)
