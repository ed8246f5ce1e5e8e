"""Each declared table, stream and topic as the specification of an asset."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import dagster as dg

from orchestration import lineage
from telemetry import topics
from telemetry.tables import Column, Table

OWNER = "team:data-platform"
DAYS = dg.DailyPartitionsDefinition(start_date="2000-01-01", end_offset=1)
"""Days that can be run again; history is older than the lake."""

STREAM_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(minutes=20), warn_window=timedelta(minutes=12)
)
TABLE_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=24), warn_window=timedelta(hours=1)
)
_FLOWING = ("bronze.messages", "silver.readings", "gold.device_minute", "gold.zone_minute")
_SQL_DIR = Path(__file__).parents[1] / "spark_jobs" / "sql"


def asset_key(name: str) -> dg.AssetKey:
    """Return the asset key of `schema.table`."""
    return dg.AssetKey(name.split("."))


def table_name(key: dg.AssetKey) -> str:
    """Return `schema.table` of an asset key."""
    return ".".join(key.path)


def table_spec(table: Table, freshness: dg.FreshnessPolicy | None = None) -> dg.AssetSpec:
    """Describe one table as its declaration does."""
    fresh = freshness or (TABLE_FRESHNESS if table.name in _FLOWING else None)
    return dg.AssetSpec(
        key=asset_key(table.name),
        deps=_deps(table.name),
        description=table.description,
        group_name=table.layer,
        owners=[f"team:{table.owner}"],
        kinds={"deltalake", "table"},
        freshness_policy=fresh,
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=[_column(c) for c in table.columns]),
            "dagster/table_name": f"lake.{table.name}",
            "key": ", ".join(table.key),
            "partitioned by": ", ".join(table.partition_by) or "nothing",
            "retention": table.retention,
            "sql": dg.MetadataValue.md(f"```sql\n{_sql(table)}\n```"),
        },
    )


def stream_specs() -> Sequence[dg.AssetSpec]:
    """Describe the queries that fill the lake."""
    return [
        _stream(
            lineage.LANDING, "ingest", "Judges each message once and lands it in bronze and silver."
        ),
        _stream(lineage.GOLD, "gold", "Reduces silver's commits to windows, merged by key."),
        # It runs only once a rule is on, so that its silence says nothing.
        _stream(lineage.SCORING, "gold", "Judges readings by the rules that are on.", None),
    ]


def topic_specs() -> Sequence[dg.AssetSpec]:
    """Describe the topics that devices' messages and the lives of alerts come in by."""
    return [
        _topic(lineage.KAFKA, topics.TELEMETRY, "ingest"),
        _topic(lineage.ALERT_LIVES, topics.ALERTS_HISTORY, "gold"),
    ]


def _topic(name: str, topic: topics.Topic, group: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=asset_key(name),
        deps=_deps(name),
        description=f"Kafka topic: {topic.meaning}.",
        group_name=group,
        owners=[OWNER],
        kinds={"kafka"},
        metadata={"partitions": topic.partitions, **topic.config},
    )


def _stream(
    name: str,
    group: str,
    description: str,
    freshness: dg.FreshnessPolicy | None = STREAM_FRESHNESS,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=asset_key(name),
        deps=_deps(name),
        description=description,
        group_name=group,
        owners=[OWNER],
        kinds={"spark", "streaming"},
        freshness_policy=freshness,
    )


def _deps(name: str) -> list[dg.AssetKey]:
    return [asset_key(source) for source in lineage.upstream(name)]


def _column(column: Column) -> dg.TableColumn:
    unit = f" [{column.unit}]" if column.unit else ""
    return dg.TableColumn(
        name=column.name,
        type=column.type,
        description=column.meaning + unit,
        constraints=dg.TableColumnConstraints(nullable=not column.required),
    )


def _sql(table: Table) -> str:
    path = _SQL_DIR / f"{table.name.split('.')[1]}.sql"
    if path.exists():
        return path.read_text("utf-8").strip()
    return f"select *\nfrom {table.name}\nlimit 20"
