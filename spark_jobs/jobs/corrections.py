"""Changes of the registry that hold from earlier on: what they touch is marked until replayed.

Silver says of each reading where its device was then, so its rows are wrong until
`headwater job replay --in-place` has judged their days again.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime

import polars as pl

from spark_jobs.lake import Lake
from spark_jobs.restatements import Mark, Restatements, Versions
from spark_jobs.transforms.marks import TOUCHED, of_rows
from spark_jobs.transforms.spans import Span
from telemetry.devices import FIRST_VALID_FROM, Device
from telemetry.tables import LATE, READINGS

REASON = "registry"
_DEVICE = ["tenant", "device_full"]
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


def corrected(lake: Lake, replayed: Span, versions: Versions) -> None:
    """Let marks within a span that was replayed in place be taken up by gold."""
    Restatements(lake).settle(REASON, versions, replayed)
