"""The history of `silver.readings`, a day at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from deltalake import DeltaTable

from detection.rules.columns import COLUMNS
from telemetry.errors import HeadwaterError
from telemetry.rules.rule import Rule
from telemetry.tables import READINGS


@dataclass(frozen=True, slots=True)
class SilverHistory:
    """What a rule watches in a lake, within a span of event time; None is open."""

    lake_root: str
    rule: Rule
    since: datetime | None = None
    until: datetime | None = None

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Yield the rows of each day by event time, as if each had come at once."""
        rows = self._rows()
        days = rows.select(pl.col("event_date").unique().sort()).collect()["event_date"]
        for day in days:
            one = rows.filter(pl.col("event_date") == day).select(COLUMNS)
            yield one.sort("event_time", "topic", "partition", "offset", "item", "metric").collect()

    def _rows(self) -> pl.LazyFrame:
        path = f"{self.lake_root}/{READINGS.name.replace('.', '/')}"
        if not DeltaTable.is_deltatable(path):
            raise HeadwaterError(
                f"there are no readings in {self.lake_root}: run `headwater up` first, or try"
                " the rule on a file with --csv"
            )
        scope, time = self.rule.scope, pl.col("event_time")
        wanted = pl.col("tenant") == self.rule.tenant
        for name, value in (("product", scope.product), ("device_full", scope.device)):
            if value is not None:
                wanted &= pl.col(name) == value
        if self.rule.metrics and self.rule.connected_within is None:
            wanted &= pl.col("metric").is_in(self.rule.metrics)
        if self.since is not None:
            wanted &= time >= self.since
        if self.until is not None:
            wanted &= time < self.until
        rows = pl.scan_delta(path).filter(wanted)
        if scope.zone is None:
            return rows
        # What its devices say elsewhere ends alarms, and breaks silence.
        stood = rows.filter(pl.col("zone") == scope.zone).select(pl.col("device_full").unique())
        return rows.filter(pl.col("device_full").is_in(stood.collect()["device_full"].implode()))
