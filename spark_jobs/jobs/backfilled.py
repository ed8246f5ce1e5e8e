"""What a backfill has added to silver, also one that was killed: gold makes its days again."""

from datetime import date
from pathlib import Path

import orjson
import polars as pl

from edge.durable_files import replace_durably
from spark_jobs.lake import Lake
from spark_jobs.new_files import files_since
from telemetry.tables import LATE, READINGS

_FIRST, _LAST = (pl.col(f"{end}.received_at").dt.date() for end in ("min", "max"))


class Backfilled:
    """One file, there from before the first row until all days that gained some are marked."""

    def __init__(self, path: Path, lake: Lake) -> None:
        """Begin, where one that was killed did not end: its rows are of no mark yet."""
        self._path, self._lake = path, lake
        self._since = self._begun() or self._begin()

    def _begun(self) -> dict[str, int] | None:
        try:
            found: dict[str, int] = orjson.loads(self._path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        return found

    def _begin(self) -> dict[str, int]:
        versions = {table.name: self._lake.table(table).version() for table in (READINGS, LATE)}
        replace_durably(self._path, orjson.dumps(versions))
        return versions

    def days(self) -> set[date]:
        """Return the dates of events that came, and those on which they had been received."""
        found: set[date] = set()
        for table in (READINGS, LATE):
            files = files_since(self._lake.table(table), self._since[table.name])
            received = files.select(day=pl.date_ranges(_FIRST, _LAST)).explode("day")
            found |= {*files["partition.event_date"], *received["day"].drop_nulls()}
        return found

    def forget(self) -> None:
        """Forget it: all that came is marked."""
        self._path.unlink(missing_ok=True)
