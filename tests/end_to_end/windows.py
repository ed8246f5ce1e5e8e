"""Gold recomputed from a file by pandas, which shares no code with the streams."""

import math
from collections.abc import Mapping

import pandas as pd
import polars as pl

WIDTHS = {"minute": "1min", "five_minutes": "5min", "hour": "1h", "day": "1D"}
COLUMNS = ("count", "sum", "min", "max", "mean", "stddev")
Key = tuple[object, ...]


def recomputed(rows: pd.DataFrame, width: str) -> dict[Key, dict[str, float]]:
    """Group rows of (device, metric, time, value) into windows: key → statistics."""
    rows = rows.assign(window_start=rows["time"].dt.floor(WIDTHS[width]))
    grouped = rows.groupby(["device", "metric", "window_start"])["value"]
    found = grouped.agg(["count", "sum", "min", "max", "mean", "std"])
    renamed = found.rename(columns={"std": "stddev"})
    return {_key(key): dict(row) for key, row in renamed.iterrows()}


def _key(key: object) -> Key:
    assert isinstance(key, tuple)
    return (*key[:2], key[2].to_pydatetime())


def stored(gold: pl.DataFrame, product: str) -> dict[Key, dict[str, float | None]]:
    """Return a product's gold rows by the same key."""
    mine = gold.filter(pl.col("product") == product)
    return {
        (row["device_full"], row["metric"], row["window_start"]): row
        for row in mine.iter_rows(named=True)
    }


def differences(
    expected: dict[Key, dict[str, float]], found: Mapping[Key, Mapping[str, float | None]]
) -> list[str]:
    """Name every window that is missing, too many or off by more than 1e-9 relative."""
    wrong = [f"missing {key}" for key in expected.keys() - found.keys()]
    wrong += [f"too many {key}" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        wrong += [
            f"{key} {name}: {expected[key][name]} is {found[key][name]}"
            for name in COLUMNS
            if not _same(name, expected[key], found[key])
        ]
    return wrong


def _same(name: str, expected: dict[str, float], found: Mapping[str, float | None]) -> bool:
    want, have = expected[name], found[name]
    is_empty = expected["count"] == 0 and name != "count"
    if have is None or is_empty or math.isnan(want):
        return have is None and (is_empty or math.isnan(want))
    # A spread near zero is the difference of near-equal numbers: it is held against their size.
    near = 1e-9 * abs(expected["max"]) if name == "stddev" else 0.0
    return math.isclose(want, have, rel_tol=1e-9, abs_tol=near)
