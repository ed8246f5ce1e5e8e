"""Changes of the registry that hold from earlier on: what they touch is marked until replayed.

Silver says of each reading where its device was then, so its rows are wrong until
`headwater job replay --in-place` has judged them again. That takes up what was received within a
span, and a window has readings of other spans: it waits until all of them are right.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa

from spark_jobs.lake import Lake
from spark_jobs.restatements import Mark, Restatements, Versions
from spark_jobs.transforms.fleet import NOBODY, Fleet
from spark_jobs.transforms.marks import TOUCHED, of_rows
from telemetry.devices import FIRST_VALID_FROM, Device
from telemetry.tables import LATE, READINGS

REASON = "registry"
_DEVICE = ["tenant", "device_full"]
_SPAN = ["window_start", "window_end"]
_SAID = ["zone", "customer", "firmware"]
"""What the registry alone says of a reading."""
_SCHEMA = {
    "tenant": pl.String(),
    "device_full": pl.String(),
    "new_zone": pl.String(),
    "since": pl.Datetime("us", "UTC"),
}


def mark_back_dated(lake: Lake, versions: Iterable[Device], now: datetime) -> None:
    """Mark the windows of readings that versions of devices change, in the old zone and the new."""
    changes = pl.DataFrame(
        [
            (version.tenant, version.device_full, version.zone, version.valid_from)
            for version in versions
            if version.valid_from and FIRST_VALID_FROM < version.valid_from < now
        ],
        schema=_SCHEMA,
        orient="row",
    )
    if changes.is_empty():
        return
    near = pl.col("device_full").is_in(changes["device_full"].unique().to_list())
    near &= pl.col("event_time") >= changes["since"].min()
    held = [lake.scan(table).filter(near).select(TOUCHED) for table in (READINGS, LATE)]
    found = pl.concat(held).join(changes.lazy(), on=_DEVICE, how="inner")
    rows = found.filter(pl.col("event_time") >= pl.col("since")).collect()
    moved = rows.with_columns(zone="new_zone")
    both = pl.concat([rows.select(TOUCHED), moved.select(TOUCHED)])
    Restatements(lake).mark(of_rows(both), Mark(uuid.uuid4().hex, REASON, now))


def corrected(lake: Lake, fleet: Fleet, versions: Versions) -> None:
    """Let marks be taken up by gold whose readings all say what the registry does."""
    marks = Restatements(lake)
    waiting = marks.waiting(REASON)
    if waiting.is_empty():
        return
    wrong = of_rows(_wrong(lake, fleet, waiting))
    both = waiting.join(wrong.select(*_DEVICE, *_SPAN), on=_DEVICE, how="inner", suffix="_wrong")
    (start, end), (first, last) = (
        (pl.col(name + suffix) for name in _SPAN) for suffix in ("", "_wrong")
    )
    too_soon = both.filter(start < last, first < end)
    key = ["mark_id", *_DEVICE, *_SPAN]
    marks.settle(REASON, versions, waiting.join(too_soon, on=key, how="anti"))


def _wrong(lake: Lake, fleet: Fleet, marked: pl.DataFrame) -> pl.DataFrame:
    """Return minutes of marked devices with a reading of which silver says what is not so."""
    at = pl.col("event_time")
    near = pl.col("device_full").is_in(marked["device_full"].unique().to_list())
    near &= at.is_between(marked["window_start"].min(), marked["window_end"].max())
    minute = at.dt.truncate("1m").alias("minute")
    rows = [
        lake.scan(table)
        .filter(near)
        .group_by("product", *_DEVICE, *_SAID, minute)
        .agg(first=at.min(), last=at.max())
        for table in (READINGS, LATE)
    ]
    found = pl.concat(rows).collect(engine="streaming")
    is_right = _is_so(found, fleet, "first") & _is_so(found, fleet, "last")
    return found.filter(~pl.Series(is_right)).rename({"minute": "event_time"}).select(TOUCHED)


def _is_so(rows: pl.DataFrame, fleet: Fleet, at: str) -> np.ndarray:
    first = fleet.find(*(rows[name].to_arrow().cast(pa.string()) for name in _DEVICE))
    is_known = first != NOBODY
    times = rows[at].cast(pl.Int64).to_numpy()
    versions = fleet.at(first[is_known], times[is_known])
    is_so = np.ones(len(first), dtype=bool)
    for name in _SAID:
        said = pl.Series(values=fleet.said(name, versions), dtype=pl.String)
        is_so[is_known] &= rows[name].filter(pl.Series(is_known)).eq_missing(said).to_numpy()
    return is_so
