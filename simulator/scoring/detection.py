"""What detection made of a run whose ledger says what truly went wrong."""

from datetime import UTC, datetime, timedelta

import polars as pl

from simulator.scoring.alarms import figures, match, quantiles
from simulator.scoring.lake import LakeFiles
from simulator.scoring.ledgers import Ledger, who
from telemetry.tables import ALERTS, ANOMALIES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_detection(lake: LakeFiles, ledger: Ledger, grace: timedelta) -> dict[str, object] | None:
    """Hold the lake's alarms against the ledger's labels; None if it has none.

    Alarms count that were found since the first message was sent, at event times of the run. An
    alarm's latency is from when the reading that raised it was sent until it was found.
    """
    if ledger.labels.is_empty():
        return None
    timed = ledger.sent.filter(pl.col("event_time").is_not_null())
    spans = timed.group_by("who").agg(
        pl.col("event_time").min().alias("first"), pl.col("event_time").max().alias("last")
    )
    grace_us = grace // timedelta(microseconds=1)
    alarms = _alarms(lake, ledger.first, spans, grace_us)
    begun = ledger.labels.join(spans, on="who").filter(pl.col("from") <= pl.col("last"))
    labels = begun.select(ledger.labels.columns).sort("from")
    watched_us = int((spans["last"] - spans["first"]).sum())
    return {
        **figures(match(labels, alarms, grace_us), watched_us),
        "alert_latency_s": _latency(alarms, timed),
        "grace_s": grace.total_seconds(),
    }


def _alarms(lake: LakeFiles, first_sent: int, spans: pl.DataFrame, grace_us: int) -> pl.DataFrame:
    """Return each alarm once: who, at, and when it was found where that is known."""
    since = EPOCH + timedelta(microseconds=first_sent)
    found = _read(lake, since).join(spans, on="who")
    is_of_run = pl.col("at").is_between(pl.col("first"), pl.col("last") + grace_us)
    return found.filter(is_of_run).select("who", "rule", "at", "found_at")


def _read(lake: LakeFiles, since: datetime) -> pl.DataFrame:
    columns = ("id", "who", "rule", "at", "found_at")
    schema = {"id": pl.String, "who": pl.Categorical, "rule": pl.String, "at": pl.Int64,
              "found_at": pl.Int64}  # fmt: skip
    parts = [pl.DataFrame(schema=schema)]
    if lake.exists(ANOMALIES):
        scan = lake.scan(ANOMALIES).filter(pl.col("detected_at") >= since)
        parts.append(
            scan.select(
                pl.col("anomaly_id").alias("id"),
                who("tenant", "device_full"),
                "rule",
                pl.col("event_time").dt.epoch("us").alias("at"),
                pl.col("detected_at").dt.epoch("us").alias("found_at"),
            ).collect()
        )
    if lake.exists(ALERTS):
        told = lake.scan(ALERTS).filter(
            pl.col("updated_at") >= since, pl.col("device_full").is_not_null()
        )
        parts.append(
            told.select(
                pl.col("alert_id").alias("id"),
                who("tenant", "device_full"),
                "rule",
                pl.col("opened_at").dt.epoch("us").alias("at"),
                pl.lit(None, pl.Int64).alias("found_at"),
            ).collect()
        )
    together = pl.concat([part.select(columns) for part in parts])
    return together.unique("id", keep="first", maintain_order=True)


def _latency(alarms: pl.DataFrame, sent: pl.DataFrame) -> dict[str, float | None]:
    by_time = sent.group_by("who", pl.col("event_time").alias("at")).agg(pl.col("sent_at").min())
    known = alarms.join(by_time, on=("who", "at")).drop_nulls("found_at")
    return quantiles((known["found_at"] - known["sent_at"]) / 1e6)


def detection_lines(found: dict[str, object]) -> list[str]:
    """Return the figures as a person reads them."""
    delay, latency, kinds = found["delay_s"], found["alert_latency_s"], found["by_kind"]
    assert isinstance(delay, dict)
    assert isinstance(latency, dict)
    assert isinstance(kinds, dict)
    lines = [
        f"{'labels':16}{found['labels']:>10,}",
        f"{'  found':16}{found['found']:>10,}",
        f"{'alarms':16}{found['alarms']:>10,}",
        f"{'  false':16}{found['false_alarms']:>10,}",
        f"{'precision':16}{_told(found['precision']):>10}",
        f"{'recall':16}{_told(found['recall']):>10}",
        f"{'delay':16}{_span(delay['p50']):>10}  half, {_span(delay['p95'])} 95 %",
        f"{'false alarms':16}{_told(found['false_alarms_per_device_month']):>10}  a device-month",
        f"{'alert latency':16}{_span(latency['p50']):>10}  half, {_span(latency['p95'])} 95 %",
    ]
    return lines + [
        f"  {kind:14}{_told(each['recall']):>10}  of {each['labels']:,}"
        for kind, each in kinds.items()
    ]


def _told(number: object) -> str:
    return "-" if number is None else f"{number:.3g}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
