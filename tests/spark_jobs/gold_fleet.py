"""A seeded fleet of readings, and gold by an independent group-by of pandas."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl

from spark_jobs.transforms.reduction import NO_READING
from telemetry.products import Product, Sliding

NOON = datetime(2026, 10, 20, 22, 57, tzinfo=UTC)
SESSION_GAP = timedelta(seconds=90)
METER = Product(
    "meter",
    lateness=timedelta(seconds=30),
    sliding=Sliding(timedelta(minutes=10), timedelta(minutes=5)),
    session_gap=SESSION_GAP,
)
ARCHIVE = Product("archive", lateness=None, retention_class="history")
PRODUCTS = (METER, ARCHIVE)
_FREQUENCIES = {"minute": "1min", "five_minutes": "5min", "hour": "1h", "day": "1D"}


def fleet(seed: int, messages: int = 800, span_s: int = 7200) -> pl.DataFrame:
    """Return readings of silver: numbers, a constant, texts, truth values, sentinels, late ones."""
    dice = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for seq in range(messages):
        product = PRODUCTS[int(dice.random() < 0.2)]
        device = int(dice.integers(0, 4))
        at = NOON + timedelta(seconds=int(dice.integers(0, span_s)), microseconds=seq % 3)
        delay = float(dice.exponential(3)) if dice.random() < 0.9 else 600.0
        shared: dict[str, object] = {
            "tenant": "default",
            "product": product.key,
            "retention_class": product.retention_class,
            "device_full": f"{product.key}.d{device}",
            "zone": (None, "north", "south")[device % 3],
            "boot": "b",
            "seq": seq,
            "event_time": at,
            "received_at": at + timedelta(seconds=delay),
        }
        load = None if dice.random() < 0.1 else float(dice.normal(20, 0.5))
        rows.append(shared | {"metric": "load", "value": load})
        rows.append(shared | {"metric": "fixed", "value": 0.1})
        rows.append(shared | {"metric": "state", "value_text": ("idle", "busy")[seq % 2]})
        rows.append(shared | {"metric": "open", "value_bool": bool(seq % 3)})
    return pl.DataFrame(rows, schema=NO_READING.schema)


def in_batches(readings: pl.DataFrame, seed: int, batches: int) -> list[pl.DataFrame]:
    """Cut readings into random batches, the messages in any order but each one whole."""
    dice = np.random.default_rng(seed)
    of_message = dice.integers(0, batches, readings["seq"].n_unique())
    batch = pl.Series(of_message).gather(readings["seq"])
    return [readings.filter(batch == number) for number in range(batches)]


def grouped(readings: pl.DataFrame, subject: str, width: str) -> pd.DataFrame:
    """Return the tumbling windows as pandas sees them, indexed by their key."""
    rows = readings.to_pandas()
    rows["zone"] = rows["zone"].fillna("")
    rows["window_start"] = rows["event_time"].dt.floor(_FREQUENCIES[width])
    return _statistics(rows, ["tenant", "window_start", subject, "product", "metric"])


def grouped_sliding(readings: pl.DataFrame) -> pd.DataFrame:
    """Return the sliding windows of the meter, each reading copied into both that hold it."""
    rows = readings.filter(pl.col("product") == "meter").to_pandas()
    newest = rows["event_time"].dt.floor("5min")
    both = [rows.assign(window_start=newest - pd.Timedelta(f"{n}min")) for n in (0, 5)]
    copied = pd.concat(both, ignore_index=True)
    return _statistics(copied, ["tenant", "window_start", "device_full", "product", "metric"])


def grouped_sessions(readings: pl.DataFrame) -> pd.DataFrame:
    """Return the sessions of the meter by walking each series in time."""
    rows = readings.filter(pl.col("product") == "meter").to_pandas()
    rows = rows.sort_values("event_time", kind="stable").reset_index(drop=True)
    series = ["tenant", "device_full", "product", "metric"]
    apart = rows.groupby(series)["event_time"].diff() > pd.Timedelta(SESSION_GAP)
    rows["run"] = apart.groupby([rows[name] for name in series]).cumsum()
    starts = rows.groupby([*series, "run"])["event_time"].transform("min")
    rows["window_start"] = starts
    return _statistics(rows, ["tenant", "window_start", "device_full", "product", "metric"])


def _statistics(rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    groups = rows.groupby(key)["value"]
    numbers = groups.agg(["sum", "min", "max", "mean", "std"])
    has_value = rows[["value", "value_text", "value_bool"]].notna().any(axis=1)
    numbers["count"] = has_value.groupby([rows[name] for name in key]).sum()
    numbers.loc[groups.count() == 0, "sum"] = np.nan
    ordered = rows[has_value].sort_values(["event_time", "seq", "value"], kind="stable")
    ends = ordered.groupby(key)[["value", "value_text", "value_bool"]]
    for name, frame in (("first", ends.nth(0)), ("last", ends.nth(-1))):
        placed = frame.set_index(pd.MultiIndex.from_frame(ordered.loc[frame.index, key]))
        placed = placed.reindex(numbers.index)
        numbers[[name, f"{name}_text", f"{name}_bool"]] = placed.to_numpy()
    return numbers.rename(columns={"std": "stddev"}).sort_index()
