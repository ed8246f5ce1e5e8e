"""Covers a range of one series: each part from its planned table, or from one that still has it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from services.query.listing import NEVER, Listing, TableFiles
from services.query.pieces import Pieces, Series, TooManyRows
from services.query.planning import RAW, Span, Tier, expired, spans
from services.query.retained import RAW_TABLES, gone, tells_of, without_rows
from services.query.rows import NO_ROWS, READING_COLUMNS, Rows, of_readings, of_windows, together


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

    @property
    def series(self) -> Series:
        """Return whose rows are wanted."""
        return Series(
            (("tenant", self.tenant), ("device_full", self.device_full), ("metric", self.metric))
        )


class Lookup(NamedTuple):
    """Files of a series that were looked up in a table: the same files, the same rows."""

    table: str
    start_us: int
    end_us: int
    paths: tuple[str, ...]


class Part(NamedTuple):
    """Rows of a span, and the end of its last final window."""

    rows: Rows
    span: Span
    final_us: int | None = None


class Covering:
    """One range being read over listings that do not change meanwhile."""

    def __init__(
        self,
        tables: Mapping[str, TableFiles],
        pieces: Pieces,
        listings: Mapping[str, Listing],
        wanted: Wanted,
        seen: list[Lookup],
    ) -> None:
        self._tables, self._pieces, self._listings = tables, pieces, listings
        self._wanted, self._seen = wanted, seen

    def covered(
        self, start_us: int, end_us: int, tiers: Sequence[Tier], final_us: int | None
    ) -> list[Part]:
        """Read [start, end) as planned; a span whose windows are not final yet is read finer."""

        def planned(span: Span) -> list[Part]:
            return self._raw(span) if span.tier is RAW else self._windows(span, tiers, final_us)

        until = NEVER if final_us is None else final_us
        found = spans(start_us, end_us, tiers, until)
        return [part for span in found for part in self._still_there(span, planned)]

    def _still_there(self, span: Span, read: Callable[[Span], list[Part]]) -> list[Part]:
        """Read a span, and what retention took out of its table from wider windows."""
        parts = read(span)
        wanted = self._wanted
        taken = gone(span, self._listings, wanted.wider, (wanted.device_full, wanted.metric))
        gaps = without_rows(taken, together([part.rows for part in parts])) if taken else []
        if not gaps:
            return parts
        wider = [tier for tier in wanted.wider if tier.width_us > span.tier.width_us]
        found, at = [], span.start_us
        for start, end in gaps:
            if at < start:
                found += read(Span(span.tier, at, start))
            found += self._stood_in(Span(span.tier, start, end), wider)
            at = end
        return found + read(Span(span.tier, at, span.end_us)) if at < span.end_us else found

    def _stood_in(self, span: Span, wider: Sequence[Tier]) -> list[Part]:
        """Read the windows that lie within a span from the narrowest tier that has them."""
        if not wider:
            return [self._left_over(span)]
        tier, *rest = wider
        start = -(-span.start_us // tier.width_us) * tier.width_us
        end = span.end_us // tier.width_us * tier.width_us
        if start >= end:
            return self._stood_in(span, rest)
        parts: list[Part] = []
        if span.start_us < start:
            parts += self._stood_in(span._replace(end_us=start), rest)
        parts += self._still_there(Span(tier, start, end), self._all_windows)
        if end < span.end_us:
            parts += self._stood_in(span._replace(start_us=end), rest)
        return parts

    def _left_over(self, span: Span) -> Part:
        """Declare what is told of only by windows that reach beyond the span."""
        wanted = self._wanted
        for tier in wanted.wider:
            width = tier.width_us
            start, end = span.start_us // width * width, -(-span.end_us // width) * width
            around = Span(tier, start, end)
            if gone(around, self._listings, wanted.wider, (wanted.device_full, wanted.metric)):
                continue
            if tells_of(self._all_windows(around)[0].rows, span.start_us, span.end_us):
                return Part(NO_ROWS, span._replace(tier=expired(tier)))
            break
        return Part(NO_ROWS, span)

    def _all_windows(self, span: Span) -> list[Part]:
        rows = self._rows(span)
        return [Part(NO_ROWS if rows is None else of_windows([rows]), span)]

    def _windows(self, span: Span, tiers: Sequence[Tier], final_us: int | None) -> list[Part]:
        """Read the windows that are final; what follows them is read finer."""
        rows = self._rows(span)
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
        return [Part(windows, kept, last), *rest]

    def _rows(self, span: Span) -> pa.Table | None:
        paths, columns = self._paths(span), self._wanted.columns
        found = [self._piece(span.tier.table, path, columns) for path in paths]
        return _between(pa.concat_tables(found), "window_start", span) if found else None

    def _raw(self, span: Span) -> list[Part]:
        """Read readings and late ones; raise `TooManyRows` for more than an answer may read."""
        tables, rows = [], 0
        for table in RAW_TABLES:
            for path in self._paths(span, table.name):
                piece = self._piece(table.name, path, READING_COLUMNS)
                found = _between(piece, "event_time_us", span)
                tables.append(found)
                rows += len(found)
                if rows > self._pieces.most_rows:
                    raise TooManyRows(path)
        return [Part(of_readings(tables) if tables else NO_ROWS, span)]

    def _paths(self, span: Span, name: str = "") -> list[str]:
        wanted, table = self._wanted, name or span.tier.table
        found = self._listings[table].holding(
            wanted.device_full, wanted.metric, span.start_us, span.end_us
        )
        self._seen.append(Lookup(table, span.start_us, span.end_us, tuple(found)))
        return found

    def _piece(self, name: str, path: str, columns: Sequence[str]) -> pa.Table:
        files = self._tables[name]
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
