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

LOOK_EVERY_S = 30
LONGEST_PAUSE_S = 300.0
Event = dg.AssetMaterialization | dg.AssetObservation


def watch_sensor(
    settings: Settings, materialized_here: frozenset[dg.AssetKey]
) -> dg.SensorDefinition:
    """Report row counts of tables that changed, and rate and lag of streams that run.

    A new lake is looked at soon and then less and less often, down to every five minutes.

    A table that Dagster's own runs write is observed; any other is reported as materialized
    outside, which is what freshness goes by.
    """

    @dg.sensor(
        name="watch_lake",
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Row counts over time of every table; rate, lag and age of the streams.",
    )
    def watch_lake(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen, next_at, pause_s = _read(context.cursor)
        now = time.time()
        # A clock that was set back is no reason to wait for longer.
        if now < next_at <= now + LONGEST_PAUSE_S:
            return dg.SensorResult(cursor=context.cursor)
        events: list[Event] = list(_streams(settings))
        for table, size in table_sizes(settings.lake_root, TABLES, seen, now):
            seen[table.name] = size.version
            events.append(_event(asset_key(table.name), size, materialized_here))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        cursor = json.dumps({"seen": seen, "next_at": now + pause_s, "pause_s": pause_s})
        return dg.SensorResult(asset_events=events, cursor=cursor)

    return watch_lake


def _read(cursor: str | None) -> tuple[dict[str, int], float, float]:
    """Return the versions seen, when to look again, and the pause that led there."""
    known = json.loads(cursor or "{}")
    return known.get("seen", {}), known.get("next_at", 0.0), known.get("pause_s", LOOK_EVERY_S / 2)


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
