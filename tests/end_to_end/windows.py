"""Gold recomputed from a file by pandas, which shares no code with the streams."""

import pandas as pd
import polars as pl

WIDTHS = {"minute": "1min", "five_minutes": "5min", "hour": "1h", "day": "1D"}
COLUMNS = ("count", "sum", "min", "max", "mean", "stddev")
KEY = ["device", "metric", "window_start"]
RELATIVE = 1e-9


def recomputed(rows: pd.DataFrame, width: str) -> pd.DataFrame:
    """Group rows of (device, metric, time, value) into windows: one row a key."""
    rows = rows.assign(window_start=rows["time"].dt.floor(WIDTHS[width]))
    grouped = rows.groupby(KEY)["value"]
    found = grouped.agg(["count", "sum", "min", "max", "mean", "std"])
    found = found.rename(columns={"std": "stddev"}).astype(float)
    # Pandas says 0 of what has no value; SQL says nothing.
    empty = found["count"] == 0
    return found.assign(sum=found["sum"].mask(empty)).reset_index()


def stored(gold: pl.DataFrame, product: str) -> pd.DataFrame:
    """Return a product's gold rows by the same key."""
    mine = gold.filter(pl.col("product") == product).rename({"device_full": "device"})
    columns: dict[str, object] = {name: mine[name].to_list() for name in KEY[:2]}
    columns |= {name: mine[name].cast(pl.Float64).to_numpy() for name in COLUMNS}
    starts = pd.to_datetime(mine["window_start"].dt.epoch("us").to_numpy(), unit="us", utc=True)
    return pd.DataFrame(columns | {"window_start": starts})


def differences(expected: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """Name every window that is missing, twice, too many or off by more than 1e-9 relative."""
    twice = found.duplicated(KEY)
    pairs = expected.merge(found[~twice], "outer", on=KEY, indicator="side")
    wrong = _named("twice", found[twice])
    wrong += _named("missing", pairs[pairs["side"] == "left_only"])
    wrong += _named("too many", pairs[pairs["side"] == "right_only"])
    both = pairs[pairs["side"] == "both"]
    for name in COLUMNS:
        off = both[~_same(name, both)]
        wrong += _named(name, off[[*KEY, f"{name}_x", f"{name}_y"]])
    return wrong


def _named(what: str, rows: pd.DataFrame) -> list[str]:
    return [f"{what} {row}" for row in rows.itertuples(index=False, name=None)]


def _same(name: str, both: pd.DataFrame) -> "pd.Series[bool]":
    want, have = both[f"{name}_x"], both[f"{name}_y"]
    near = RELATIVE * want.abs().clip(lower=have.abs())
    if name == "stddev":
        # A spread near zero is the difference of near-equal numbers: it is held against their size.
        near = near.clip(lower=RELATIVE * both["max_x"].abs())
    return (want.isna() & have.isna()) | ((want - have).abs() <= near)
