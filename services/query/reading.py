"""Reads a range of one series over the tables as they are now."""

from collections.abc import Iterable
from typing import NamedTuple

from services.query.covering import Covering, Lookup, Wanted
from services.query.listing import TableFiles
from services.query.pieces import Pieces
from services.query.planning import WINDOWS, Span, merged
from services.query.retained import RAW_TABLES
from services.query.rows import Rows, together
from telemetry.tables import BY_NAME

READ_AGAIN = 3


class Found(NamedTuple):
    """What was read: rows in order of time, and from which spans."""

    rows: Rows
    spans: tuple[Span, ...]
    final_us: int | None
    """End of the last final window that was read."""


class Lake:
    """The tables as the query service reads them."""

    def __init__(self, root: str, pieces: Pieces) -> None:
        names = {table.name for table in RAW_TABLES} | {tier.table for tier in WINDOWS}
        self.tables = {name: TableFiles(root, BY_NAME[name]) for name in sorted(names)}
        self._pieces = pieces

    @property
    def most_rows(self) -> int:
        """Return how many rows of a series are read raw at most."""
        return self._pieces.most_rows

    def is_as_seen(self, device_full: str, metric: str, seen: Iterable[Lookup]) -> bool:
        """Say whether lookups of a series would find the same files now."""
        listings = {name: files.listing() for name, files in self.tables.items()}
        return all(
            tuple(listings[name].holding(device_full, metric, start, end)) == paths
            for name, start, end, paths in seen
        )

    def read(self, wanted: Wanted, final_us: int | None, seen: list[Lookup]) -> Found:
        """Read the range, and add to `seen` which files it looked up.

        `final_us`: up to where windows are known to be final, None: nobody said. Files that a
        rewrite has taken away meanwhile are looked up anew.
        """
        before = len(seen)
        for _ in range(READ_AGAIN):
            try:
                return self._read(wanted, final_us, seen)
            except FileNotFoundError:
                del seen[before:]
        return self._read(wanted, final_us, seen)

    def _read(self, wanted: Wanted, final_us: int | None, seen: list[Lookup]) -> Found:
        listings = {name: files.listing() for name, files in self.tables.items()}
        reading = Covering(self.tables, self._pieces, listings, wanted, seen)
        parts = reading.covered(wanted.start_us, wanted.end_us, wanted.tiers, final_us)
        finals = [part.final_us for part in parts if part.final_us is not None]
        return Found(
            together([part.rows for part in parts]),
            merged([part.span for part in parts]),
            max(finals, default=None),
        )
