"""Reads a range of one series: spans over the tiers, each from the files that may hold it."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from services.query.listing import NEVER, Listing, TableFiles
from services.query.pieces import MOST_RAW_ROWS, Pieces, Series, TooManyRows
from services.query.planning import RAW, WINDOWS, Span, Tier, spans
from services.query.rows import NO_ROWS, READING_COLUMNS, Rows, of_readings, of_windows, together
from telemetry.tables import BY_NAME, LATE, READINGS

RAW_TABLES = (READINGS, LATE)
READ_AGAIN = 3


class Wanted(NamedTuple):
    """A range of a series, the tiers of windows that may be read for it, and their columns."""

    tenant: str
    device_full: str
    metric: str
    start_us: int
    end_us: int
    tiers: Sequence[Tier]
    columns: tuple[str, ...]

    @property
    def series(self) -> Series:
        """Return whose rows are wanted."""
        return Series(
            (("tenant", self.tenant), ("device_full", self.device_full), ("metric", self.metric))
        )


class Found(NamedTuple):
    """What was read: rows in order of time, and from which spans."""

    rows: Rows
    spans: tuple[Span, ...]
    final_us: int | None
    """End of the last final window that was read."""


class _Part(NamedTuple):
    rows: Rows
    span: Span
    final_us: int | None = None


class Lake:
    """The tables as the query service reads them."""

    def __init__(self, root: str, pieces: Pieces) -> None:
        names = {table.name for table in RAW_TABLES} | {tier.table for tier in WINDOWS}
        self.tables = {name: TableFiles(root, BY_NAME[name]) for name in sorted(names)}
        self._pieces = pieces

    def files(self, wanted: Wanted) -> tuple[str, ...]:
        """Return the files that an answer depends on: the same files, the same answer."""
        names = [*(table.name for table in RAW_TABLES), *(tier.table for tier in wanted.tiers)]
        return tuple(path for name in names for path in self._holding(name, wanted))

    def _holding(self, name: str, wanted: Wanted) -> list[str]:
        listing = self.tables[name].listing()
        start, end = wanted.start_us, wanted.end_us
        return listing.holding(wanted.device_full, wanted.metric, start, end)

    def read(self, wanted: Wanted, final_us: int | None) -> Found:
        """Read the range; `final_us`: up to where windows are known to be final, None: nobody said.

        Files that a rewrite has taken away meanwhile are looked up anew.
        """
        for _ in range(READ_AGAIN):
            try:
                return self._read(wanted, final_us)
            except FileNotFoundError:
                continue
        return self._read(wanted, final_us)

    def _read(self, wanted: Wanted, final_us: int | None) -> Found:
        listings = {name: files.listing() for name, files in self.tables.items()}
        reading = _Reading(self, self._pieces, listings, wanted)
        parts = reading.covered(wanted.start_us, wanted.end_us, wanted.tiers, final_us)
        finals = [part.final_us for part in parts if part.final_us is not None]
        return Found(
            together([part.rows for part in parts]),
            tuple(part.span for part in parts),
            max(finals, default=None),
        )


class _Reading:
    """One range being read over listings that do not change meanwhile."""

    def __init__(
        self, lake: Lake, pieces: Pieces, listings: dict[str, Listing], wanted: Wanted
    ) -> None:
        self._lake, self._pieces, self._listings = lake, pieces, listings
        self._wanted = wanted

    def covered(
        self, start_us: int, end_us: int, tiers: Sequence[Tier], final_us: int | None
    ) -> list[_Part]:
        """Read [start, end) as planned; a span whose windows are not final yet is read finer."""
        parts: list[_Part] = []
        for span in spans(start_us, end_us, tiers, NEVER if final_us is None else final_us):
            if span.tier is RAW:
                parts += self._raw(span)
            else:
                parts += self._windows(span, tiers, final_us)
        return parts

    def _windows(self, span: Span, tiers: Sequence[Tier], final_us: int | None) -> list[_Part]:
        """Read the windows that are final; what follows them is read finer."""
        columns = self._wanted.columns
        found = [self._piece(span.tier.table, path, columns) for path in self._paths(span)]
        rows = _between(pa.concat_tables(found), "window_start", span) if found else None
        seam = _seam(rows, span, is_known=final_us is not None)
        finer = tiers[list(tiers).index(span.tier) + 1 :]
        if seam <= span.start_us:
            return self.covered(span.start_us, span.end_us, finer, final_us)
        kept = span._replace(end_us=seam)
        windows = NO_ROWS
        if rows is not None:
            windows = of_windows([_between(rows, "window_start", kept)])
        last = int(windows.times[-1]) + span.tier.width_us if len(windows.times) else None
        rest = self.covered(seam, span.end_us, finer, final_us)
        return [_Part(windows, kept, last), *rest]

    def _raw(self, span: Span) -> list[_Part]:
        """Read readings and late ones; raise `TooManyRows` for more than an answer may read."""
        tables, rows = [], 0
        for table in RAW_TABLES:
            for path in self._paths(span, table.name):
                piece = self._piece(table.name, path, READING_COLUMNS)
                found = _between(piece, "event_time_us", span)
                tables.append(found)
                rows += len(found)
                if rows > MOST_RAW_ROWS:
                    raise TooManyRows(path)
        return [_Part(of_readings(tables) if tables else NO_ROWS, span)]

    def _paths(self, span: Span, name: str = "") -> list[str]:
        wanted = self._wanted
        listing = self._listings[name or span.tier.table]
        return listing.holding(wanted.device_full, wanted.metric, span.start_us, span.end_us)

    def _piece(self, name: str, path: str, columns: Sequence[str]) -> pa.Table:
        files = self._lake.tables[name]
        full = f"{files.folder}/{path}"
        return self._pieces.read(files.store, full, self._wanted.series, columns)


def _between(rows: pa.Table, name: str, span: Span) -> pa.Table:
    times = rows.column(name)
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.int64())
    inside = pc.and_(pc.greater_equal(times, span.start_us), pc.less(times, span.end_us))
    return rows.filter(inside)


def _seam(rows: pa.Table | None, span: Span, *, is_known: bool) -> int:
    """Return up to where windows are final: the first that is not, or behind the last that is."""
    if rows is None or not len(rows):
        return span.end_us if is_known else span.start_us
    starts = rows.column("window_start").cast(pa.int64()).to_numpy()
    final = rows.column("is_final").to_numpy()
    seam = span.end_us
    if not is_known:
        seam = (
            int(starts[final].max(initial=span.start_us - span.tier.width_us)) + span.tier.width_us
        )
    return int(starts[~final].min(initial=seam)) if (~final).any() else seam
