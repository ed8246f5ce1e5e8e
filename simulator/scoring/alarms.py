"""Alarms held against what truly went wrong: which labels were found, how soon, and what is false.

An alarm of a label's device within [from, to + grace] finds it, whatever its rule and metric.
Several alarms of one label count once; an alarm of no label is a false one.
"""

from dataclasses import dataclass

import polars as pl

MONTH_US = 30 * 86_400_000_000
QUANTILES = {"p50": 0.5, "p95": 0.95}


@dataclass(frozen=True, slots=True)
class Matched:
    """Labels with `first`, the event time of their first alarm or null; alarms with `is_true`."""

    labels: pl.DataFrame
    alarms: pl.DataFrame


def match(labels: pl.DataFrame, alarms: pl.DataFrame, grace_us: int) -> Matched:
    """Match labels (who, kind, from, to) and alarms (who, at), both in microseconds."""
    numbered = labels.with_row_index("label")
    told = alarms.with_row_index("alarm")
    is_within = (pl.col("at") >= pl.col("from")) & (pl.col("at") <= pl.col("to") + grace_us)
    pairs = numbered.join(told.select("alarm", "who", "at"), on="who").filter(is_within)
    first = pairs.group_by("label").agg(pl.col("at").min().alias("first"))
    is_true = pl.col("alarm").is_in(pairs["alarm"].implode())
    return Matched(
        numbered.join(first, on="label", how="left").sort("label").drop("label"),
        told.with_columns(is_true.alias("is_true")).drop("alarm"),
    )


def figures(matched: Matched, device_us: int) -> dict[str, object]:
    """Return precision, recall, delay and false alarms; `device_us` is how long all were watched.

    Precision is of found labels among them and the false alarms; null where there is neither.
    """
    labels, alarms = matched.labels, matched.alarms
    found, false = labels["first"].count(), int((~alarms["is_true"]).sum())
    delay_s = (labels["first"] - labels["from"]) / 1e6
    return {
        "labels": labels.height,
        "found": found,
        "alarms": alarms.height,
        "false_alarms": false,
        "precision": _share(found, found + false),
        "recall": _share(found, labels.height),
        "delay_s": quantiles(delay_s.drop_nulls()),
        "false_alarms_per_device_month": _share(false * MONTH_US, device_us),
        "by_kind": _by_kind(labels),
    }


def _by_kind(labels: pl.DataFrame) -> dict[str, dict[str, object]]:
    counted = labels.group_by("kind").agg(
        pl.len().alias("labels"), pl.col("first").count().alias("found")
    )
    return {
        str(kind): {"labels": count, "found": found, "recall": _share(found, count)}
        for kind, count, found in counted.sort("kind").iter_rows()
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def quantiles(seconds: pl.Series) -> dict[str, float | None]:
    """Return the least value that so large a share does not pass; null for none."""
    return {
        name: None if seconds.is_empty() else _rounded(seconds.quantile(share, "higher"))
        for name, share in QUANTILES.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
