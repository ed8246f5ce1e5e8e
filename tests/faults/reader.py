"""A reader that looks at the tables all the while, from a process of its own, by delta-rs.

`python -m tests.faults.reader LAKE REPORT`; the report is replaced after each look; SIGTERM ends.
"""

import json
import signal
import sys
import time
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

from tests.faults.points import LANDED
from tests.faults.snapshots import RECORD, Bronze, complaints, newest_ranges

SILVER = LANDED[1:]
ACCEPTED = ("silver.readings", "silver.late")
KEY = ("tenant", "device_full", "boot", "seq", "metric")
GOLD = {
    "gold.device_minute": ("tenant", "window_start", "device_full", "product", "metric"),
    "gold.zone_hour": ("tenant", "window_start", "zone", "product", "metric"),
}
LEAST_PAUSE_S = 0.5


class Watched:
    """One table; the columns of a file are read once, then kept as long as a version needs it."""

    def __init__(self, path: Path, columns: list[pl.Expr]) -> None:
        self.handle = DeltaTable(path)
        self._columns = columns
        self._files: dict[str, pl.DataFrame] = {}

    def rows(self) -> pl.DataFrame:
        """Return the rows of the newest version."""
        self.handle.update_incremental()
        files = self.handle.file_uris()
        self._files = {file: self._read(file) for file in files}
        empty = pl.scan_delta(self.handle).select(self._columns).clear().collect()
        return pl.concat([empty, *self._files.values()])

    def _read(self, file: str) -> pl.DataFrame:
        if file in self._files:
            return self._files[file]
        return pl.scan_parquet(file, hive_partitioning=False).select(self._columns).collect()


def _columns(table: str) -> list[pl.Expr]:
    if table == "bronze.messages":
        return [pl.col(*RECORD, "items")]
    if table in ACCEPTED:
        return [pl.col(*RECORD, "item"), pl.struct(KEY).hash().alias("key")]
    return [pl.col(*RECORD, "item").filter(pl.col("replayed_at").is_null())]


class Reader:
    """Looks at bronze and silver, and at the keys of gold."""

    def __init__(self, lake: Path) -> None:
        def watched(table: str, columns: list[pl.Expr]) -> Watched:
            return Watched(lake / Path(*table.split(".")), columns)

        self._bronze = watched("bronze.messages", _columns("bronze.messages"))
        self._silver = {table: watched(table, _columns(table)) for table in SILVER}
        self._gold = {
            table: watched(table, [pl.struct(key).hash().alias("key")])
            for table, key in GOLD.items()
        }
        self._before: Bronze | None = None

    def look(self) -> list[str]:
        """Return what no reader may see."""
        silver = {table: watched.rows() for table, watched in self._silver.items()}
        records = self._bronze.rows()
        bronze = Bronze(records, newest_ranges(self._bronze.handle))
        found = complaints(silver, bronze, self._before)
        self._before = bronze
        for table, watched in self._gold.items():
            if not watched.rows()["key"].is_unique().all():
                found.append(f"{table} holds a key twice")
        return found


def main() -> int:
    """Look until told to end."""
    lake, report = map(Path, sys.argv[1:])
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    reader, looks, seen = Reader(lake), 0, list[str]()
    while not stopped:
        began = time.monotonic()
        seen += reader.look()
        looks += 1
        whole = report.with_suffix(".new")
        whole.write_text(json.dumps({"looks": looks, "seen": seen[:20]}))
        whole.replace(report)
        time.sleep(max(LEAST_PAUSE_S, 2 * (time.monotonic() - began)))
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())
