"""Reads a range of one series over the tables as they are now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from services.query.covering import HELD, Covering, Lookup, Part, Wanted
from services.query.hot.tier import Bounds, Hot
from services.query.hot.view import Names
from services.query.listing import Listing, TableFiles
from services.query.pieces import Pieces
from services.query.planning import WINDOWS, Span, merged
from services.query.retained import RAW_TABLES
from services.query.rows import Rows, together
from telemetry.tables import BY_NAME

READ_AGAIN = 3
NOTHING_HOT = Bounds(0)


class Found(NamedTuple):
    """What was read: rows in order of time, and from which spans."""

    rows: Rows
    spans: tuple[Span, ...]
    final_us: int | None
    """End of the last final window that was read."""


class Lake:
    """The tables as the query service reads them."""

    def __init__(self, root: str, pieces: Pieces, bounds: Bounds = NOTHING_HOT) -> None:
        names = {table.name for table in RAW_TABLES} | {tier.table for tier in WINDOWS}
        self.tables = {name: TableFiles(root, BY_NAME[name]) for name in sorted(names)}
        self.hot = Hot({table.name: self.tables[table.name] for table in RAW_TABLES}, bounds)
        self._pieces = pieces

    @property
    def most_rows(self) -> int:
        """Return how many rows of a series are read raw at most."""
        return self._pieces.most_rows

    def is_as_seen(self, series: Names, seen: Iterable[Lookup]) -> bool:
        """Say whether lookups of a series would find the same files now."""
        listings, looked_up = self._listings(), list(seen)
        hot = [each for each in looked_up if each.table == HELD]
        start, end = (
            min((e.start_us for e in hot), default=0),
            max((e.end_us for e in hot), default=0),
        )
        view = self.hot.view(listings, series, start, end)

        def is_same(one: Lookup) -> bool:
            if one.table == HELD:
                return view.files(series, one.start_us, one.end_us) == one.held
            listing = view.cold.get(one.table, listings[one.table])
            found = listing.holding(*series[1:], one.start_us, one.end_us)
            return tuple(found) == one.paths

        return all(map(is_same, looked_up))

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
        reading = Covering(self.tables, self._pieces, (self._listings(), self.hot), wanted, seen)
        parts = reading.covered(wanted.start_us, wanted.end_us, wanted.tiers, final_us)
        finals = [part.final_us for part in parts if part.final_us is not None]
        return Found(
            together([part.rows for part in parts]),
            merged(_declared(parts)),
            max(finals, default=None),
        )

    def _listings(self) -> Mapping[str, Listing]:
        return {name: files.listing() for name, files in self.tables.items()}


def _declared(parts: Sequence[Part]) -> list[Span]:
    """Return the spans of parts; where there was nothing, it was read as what stands beside it."""
    heard = [p.span.tier for p in parts if not p.is_silent and p.span.tier.name != "expired"]
    tier, found = next(iter(heard), None), list[Span]()
    for part in parts:
        if part.is_silent and tier:
            found.append(part.span._replace(tier=tier))
            continue
        found.append(part.span)
        tier = tier if part.is_silent or part.span.tier.name == "expired" else part.span.tier
    return found
