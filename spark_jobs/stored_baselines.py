"""`gold.baselines` as rules read it: the newest version, series by series."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from detection.rules.baselines import HOURS, Weeks
from detection.rules.readings import Series
from spark_jobs.lake import Lake
from telemetry.tables import BASELINES

ROWS_AT_ONCE = 250_000
NAMED = 2_000
"""So many devices are looked for by name; more of them read the version as a whole."""
_FIRST_DAY = date(1970, 1, 1)


class StoredBaselines:
    """The newest baselines of a lake; looked for anew once the table has changed."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._found: tuple[int, int | None] | None = None

    def version(self) -> int | None:
        """Return the newest version as a day since 1970, None where there is none."""
        if not self._lake.exists(BASELINES):
            return None
        table_version = self._lake.table(BASELINES).version()
        if self._found is None or self._found[0] != table_version:
            self._found = (table_version, self._newest())
        return self._found[1]

    def _newest(self) -> int | None:
        files = self._lake.files(BASELINES)
        newest = files["partition.version"].cast(pl.String).str.to_date().max()
        return (newest - _FIRST_DAY).days if isinstance(newest, date) else None

    def weeks(self, series: Sequence[Series], version: int) -> Weeks:
        """Return the baselines of series; the table is read some rows at a time."""
        wanted = pl.DataFrame(
            [(*one, row) for row, one in enumerate(series)],
            schema={"tenant": pl.String, "device_full": pl.String, "metric": pl.String,
                    "row": pl.Int64},
            orient="row",
        )  # fmt: skip
        medians, spreads = (np.full((len(series), HOURS), np.nan, np.float32) for _ in range(2))
        day = _FIRST_DAY + timedelta(days=version)
        rows = self._lake.scan(BASELINES).filter(pl.col("version") == day)
        devices = wanted["device_full"].unique()
        if len(devices) <= NAMED:
            rows = rows.filter(pl.col("device_full").is_in(devices.implode()))
        columns = ("tenant", "device_full", "metric", "slot", "median", "spread")
        for some in rows.select(columns).collect_batches(chunk_size=ROWS_AT_ONCE):
            mine = some.join(wanted, on=["tenant", "device_full", "metric"])
            place = (mine["row"].to_numpy(), mine["slot"].to_numpy())
            medians[place], spreads[place] = mine["median"].to_numpy(), mine["spread"].to_numpy()
        return Weeks(version, medians, spreads)
