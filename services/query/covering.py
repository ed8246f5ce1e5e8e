"""Covers a range of one series: each part from its planned table, or from one that still has it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from services.query.hot.tier import Hot
from services.query.hot.view import Names
from services.query.listing import NEVER, Listing, TableFiles
from services.query.pieces import Pieces, Series, TooManyRows, Within
from services.query.planning import RAW, Span, Tier, spans
from services.query.retained import RAW_TABLES, Gap, gone, tells_of, without_rows
from services.query.rows import NO_ROWS, READING_COLUMNS, Rows, of_readings, of_windows, together
from services.query.standing_in import still_there

HELD = "hot"
"""What is looked up in the hot tier, in the place of a table's name."""


class Wanted(NamedTuple):
    """A range of a series, the tiers of windows that may be read for it, and their columns."""

    tenant: str
    device_full: str
    metric: str
    start_us: int
    end_us: int
    tiers: Sequence[Tier]
    columns: tuple[str, ...]
    wider: Sequence[Tier] = ()
    """Tiers that may stand in for what retention took, the narrowest first."""
    takes_open: bool = False
    """Windows are read up to the last one, final or not; it, and what follows, is read finer."""

    @property
    def names(self) -> Names:
        """Return whose rows are wanted."""
        return self.tenant, self.device_full, self.metric

    @property
    def series(self) -> Series:
        """Return whose rows are wanted, by column."""
        return Series(tuple(zip(("tenant", "device_full", "metric"), self.names, strict=True)))


class Lookup(NamedTuple):
    """Files of a series that were looked up in a table: the same files, the same rows."""

    table: str
    start_us: int
    end_us: int
    paths: tuple[str, ...]
    held: tuple[int, ...] = ()
    """Files of the hot tier that have rows of it, of whatever table."""


class Part(NamedTuple):
    """Rows of a span, and the end of its last final window."""

    rows: Rows
    span: Span
    final_us: int | None = None
    is_silent: bool = False
    """Its table has nothing of it, and wider windows know of nothing that was dropped."""


class Covering:
    """One range being read over listings that do not change meanwhile."""

    def __init__(
        self,
        tables: Mapping[str, TableFiles],
        pieces: Pieces,
        version: tuple[Mapping[str, Listing], Hot],
        wanted: Wanted,
        seen: list[Lookup],
    ) -> None:
        """`version`: each table's files, and what holds some of them."""
        self._tables, self._pieces = tables, pieces
        self._listings, self._hot = version
        self._wanted, self._seen = wanted, seen
        self.known_by = wanted.wider

    def covered(
        self, start_us: int, end_us: int, tiers: Sequence[Tier], final_us: int | None
    ) -> list[Part]:
        """Read [start, end) as planned; a span whose windows are not final yet is read finer."""

        def planned(span: Span) -> list[Part]:
            return self._raw(span) if span.tier is RAW else self._windows(span, tiers, final_us)

        until = NEVER if final_us is None else final_us
        return [
            _declared(part, span)
            for span in spans(start_us, end_us, tiers, until)
            for part in still_there(span, planned, self.known_by, self)
        ]

    def gaps(self, span: Span) -> list[Gap]:
        """Return the parts of a span whose partitions its table has no more."""
        wanted = self._wanted
        taken = gone(span, self._listings, wanted.wider, (wanted.device_full, wanted.metric))
        if not taken:
            return []
        parts = self._raw(span) if span.tier is RAW else self.windows(span)
        return without_rows(taken, together([part.rows for part in parts]))

    def nothing(self, span: Span) -> Part:
        """Return a span without rows."""
        return Part(NO_ROWS, span)

    def tells_of(self, around: Span, span: Span) -> bool:
        """Say whether windows of `around` may hold values of a span within it."""
        return tells_of(self.windows(around)[0].rows, span.start_us, span.end_us)

    def windows(self, span: Span) -> list[Part]:
        """Return all windows of a span, open ones too."""
        rows = self._rows(span)
        return [Part(NO_ROWS if rows is None else of_windows([rows]), span)]

    def _windows(self, span: Span, tiers: Sequence[Tier], final_us: int | None) -> list[Part]:
        """Read the windows that are final; what follows them is read finer."""
        rows, takes_open = self._rows(span), self._wanted.takes_open
        seam = (
            _last_begins(rows, span)
            if takes_open
            else _seam(rows, span, is_known=final_us is not None)
        )
        finer = tiers[list(tiers).index(span.tier) + 1 :]
        if seam <= span.start_us:
            return self.covered(span.start_us, span.end_us, finer, final_us)
        kept = span._replace(end_us=seam)
        windows = NO_ROWS
        if rows is not None:
            windows = of_windows([_between(rows, "window_start", kept)])
        is_final = len(windows.times) and not takes_open
        last = int(windows.times[-1]) + span.tier.width_us if is_final else None
        rest = self.covered(seam, span.end_us, finer, final_us)
        return [Part(windows, kept, last), *rest]

    def _rows(self, span: Span) -> pa.Table | None:
        paths, columns = self._paths(span), self._wanted.columns
        found = [self._piece(span.tier.table, path, columns) for path in paths]
        return _between(pa.concat_tables(found), "window_start", span) if found else None

    def _raw(self, span: Span) -> list[Part]:
        """Read readings and late ones; raise `TooManyRows` for more than an answer may read."""
        of_series = (self._wanted.names, span.start_us, span.end_us)
        view = self._hot.view(self._listings, *of_series)
        self._seen.append(Lookup(HELD, *of_series[1:], (), view.files(*of_series)))
        tables = view.rows(*of_series)
        rows = self._counted(sum(map(len, tables)))
        for table in RAW_TABLES:
            for path in self._looked_up(span, table.name, view.cold[table.name]):
                within = Within("event_time_us", span.start_us, span.end_us)
                piece = self._piece(table.name, path, READING_COLUMNS, within)
                found = _between(piece, "event_time_us", span)
                tables.append(found)
                rows = self._counted(rows + len(found))
        return [Part(of_readings(tables) if tables else NO_ROWS, span)]

    def _counted(self, rows: int) -> int:
        if rows > self._pieces.most_rows:
            raise TooManyRows(self._wanted.device_full)
        return rows

    def _paths(self, span: Span) -> list[str]:
        return self._looked_up(span, span.tier.table, self._listings[span.tier.table])

    def _looked_up(self, span: Span, table: str, listing: Listing) -> list[str]:
        names = self._wanted.names[1:]
        found = listing.holding(*names, span.start_us, span.end_us)
        self._seen.append(Lookup(table, span.start_us, span.end_us, tuple(found)))
        return found

    def _piece(
        self, name: str, path: str, columns: Sequence[str], within: Within | None = None
    ) -> pa.Table:
        files = self._tables[name]
        full = f"{files.folder}/{path}"
        return self._pieces.read(files.store, full, self._wanted.series, columns, within)


def _declared(part: Part, asked: Span) -> Part:
    """Say of a part of which wider windows know nothing that it was read as asked: none is lost."""
    if len(part.rows.times) or part.span.tier.width_us <= asked.tier.width_us:
        return part
    return part._replace(span=part.span._replace(tier=asked.tier), is_silent=True)


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


def _last_begins(rows: pa.Table | None, span: Span) -> int:
    """Return where the last window begins: gold may still be counting what it and later ones have.

    Where there is none, the span's start.
    """
    if rows is None or not len(rows):
        return span.start_us
    return int(rows.column("window_start").cast(pa.int64()).to_numpy().max())
