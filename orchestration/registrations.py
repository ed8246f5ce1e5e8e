"""The sensor that lands parked messages once their devices are registered."""

from typing import TYPE_CHECKING

import dagster as dg
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from orchestration.batch import REPLAY
from orchestration.streams import UNFINISHED
from telemetry.judge import UNKNOWN_RULES
from telemetry.settings import Settings
from telemetry.tables import DEVICES, REJECTED, Table

if TYPE_CHECKING:
    import polars as pl

LOOK_EVERY_S = 60
DEVICE = ["tenant", "device_full"]


def replay_sensor(settings: Settings) -> dg.SensorDefinition:
    """Start the replay when devices have become known of which messages were rejected.

    Landing writes `dim.devices` before it judges by it, so that messages of a device are parked
    before the version that knows it, and a version is looked at once.
    """

    @dg.sensor(
        name="replay_registered",
        job_name=REPLAY,
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Lands messages that were rejected before their device was registered.",
    )
    def replay_registered(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        unfinished = dg.RunsFilter(job_name=REPLAY, statuses=list(UNFINISHED))
        if context.instance.get_runs(unfinished, limit=1):
            return _skip("the last replay is not over", context.cursor)
        version = _version(settings.lake_root, DEVICES)
        seen = int(context.cursor) if context.cursor else None
        if version is None or version == seen:
            return _skip("no device has become known", context.cursor)
        if not is_any_parked(settings.lake_root, seen):
            return _skip("no message of a new device was rejected", str(version))
        return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=str(version))

    return replay_registered


def _skip(reason: str, cursor: str | None) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=cursor)


def is_any_parked(lake_root: str, seen: int | None) -> bool:
    """Say whether messages wait of devices that `dim.devices` did not know in version `seen`."""
    import polars as pl  # most looks end before they need it

    devices = _rows(lake_root, DEVICES).select(DEVICE).unique()
    if seen is not None and (before := _earlier(lake_root, seen)) is not None:
        devices = devices.join(before.select(DEVICE), on=DEVICE, how="anti")
    new = devices.collect()
    if new.is_empty() or _version(lake_root, REJECTED) is None:
        return False
    rules = pl.col("reasons").list.eval(pl.element().struct.field("rule"))
    unknown = pl.any_horizontal(rules.list.contains(rule) for rule in UNKNOWN_RULES)
    parked = _rows(lake_root, REJECTED).filter(pl.col("replayed_at").is_null(), unknown)
    found = parked.select(DEVICE).join(new.lazy(), on=DEVICE, how="semi").head(1).collect()
    return not found.is_empty()


def _rows(lake_root: str, table: Table, version: int | None = None) -> "pl.LazyFrame":
    import polars as pl

    return pl.scan_delta(_uri(lake_root, table), version=version)


def _earlier(lake_root: str, version: int) -> "pl.LazyFrame | None":
    """Return the devices of an earlier version, None where its files are gone."""
    try:
        return _rows(lake_root, DEVICES, version).select(DEVICE).collect().lazy()
    except (DeltaError, OSError):
        return None


def _version(lake_root: str, table: Table) -> int | None:
    try:
        return DeltaTable(_uri(lake_root, table)).version()
    except (TableNotFoundError, DeltaError):
        return None


def _uri(lake_root: str, table: Table) -> str:
    return f"{lake_root}/{table.name.replace('.', '/')}"
