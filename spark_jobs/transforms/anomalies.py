"""What rules have found, as rows of `gold.anomalies`."""

from collections.abc import Iterable

import polars as pl

from telemetry.alerts import Alert

_COLUMNS = {
    "anomaly_id": pl.String(),
    "tenant": pl.String(),
    "rule": pl.String(),
    "rule_version": pl.Int32(),
    "severity": pl.String(),
    "device_full": pl.String(),
    "product": pl.String(),
    "zone": pl.String(),
    "customer": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
    "bound": pl.Float64(),
    "score": pl.Float64(),
    "baseline": pl.Float64(),
    "baseline_version": pl.String(),
    "deviation": pl.Float64(),
    "text": pl.String(),
    "event_time": pl.Int64(),
    "detected_at": pl.Int64(),
}
_NAMED_ELSE = {"anomaly_id": "id", "device_full": "device"}


def anomalies(alerts: Iterable[Alert]) -> pl.DataFrame:
    """Return a row for each alert that begins; those that are over have none."""
    rows = [
        [getattr(alert, _NAMED_ELSE.get(name, name)) for name in _COLUMNS]
        for alert in alerts
        if alert.state == "firing"
    ]
    found = pl.DataFrame(rows, schema=_COLUMNS, orient="row")
    times = [
        pl.from_epoch(name, "us").dt.replace_time_zone("UTC")
        for name in ("event_time", "detected_at")
    ]
    version = pl.col("baseline_version").str.to_date("%Y-%m-%d")
    return found.with_columns(version, *times).with_columns(
        event_date=pl.col("event_time").dt.date()
    )
