"""Windows of whole tables over a range, of each retention class from what still has them."""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import NamedTuple

import polars as pl

from services.query.gathering import Gathered, Reduce
from services.query.listing import Listing, TableFiles
from services.query.planning import Span, Tier, merged
from services.query.retained import Gap, gone, touching
from services.query.scanning import TIME, parts, tried
from services.query.standing_in import still_there
from telemetry.tables import BY_NAME

Tables = Mapping[str, TableFiles]
Listings = Mapping[str, Listing]


class Wanted(NamedTuple):
    """Windows that begin in some spans: whose they are, and their columns."""

    where: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    spans: Sequence[Span]
    wider: Sequence[Tier]
    """Tiers that tell of what retention took, the narrowest first."""
    like: Tier | None = None
    """Where no tier can stand in: the one whose windows are kept as long."""
    reduced: Reduce = pl.DataFrame.clone
    """Makes rows fewer without changing the answer: all that there are may be more than memory."""

    @property
    def tables(self) -> set[str]:
        """Return the names of all tables that may be read."""
        return {tier.table for tier in (*self.wider, *(span.tier for span in self.spans))}


class Found(NamedTuple):
    """The windows that are left, and from which spans; these overlap where classes differ."""

    rows: pl.DataFrame
    spans: tuple[Span, ...]
    windows: int
    """How many windows were read for them."""
    readings: int
    """How many readings with a value these stand for."""
    products: frozenset[str]

    @property
    def lacks(self) -> bool:
        """Say whether a part of the range has expired."""
        return any(span.tier.name == "expired" for span in self.spans)


def kept_windows(tables: Tables, wanted: Wanted) -> Found:
    """Return the windows, open ones too, each moment of a class once."""
    return tried(lambda: _read(tables, wanted))


def _read(tables: Tables, wanted: Wanted) -> Found:
    listings = {name: tables[name].listing() for name in wanted.tables}
    gathered, said = Gathered(wanted.reduced), set[Span]()
    for plan, classes in _plans(tables, listings, wanted).items():
        reading = _OfClasses(tables, listings, classes, wanted)
        counts = [gathered.taken(reading.parts(span, wanted.columns)) for span in plan]
        if any(counts) or any(span.tier.name == "expired" for span in plan):
            said.update(_declared(plan, counts, wanted.spans))
    ordered = sorted(said, key=lambda span: (span.start_us, span.end_us, span.tier.width_us))
    return Found(
        gathered.rows(wanted.columns),
        tuple(ordered) or tuple(wanted.spans),
        gathered.windows,
        gathered.readings,
        frozenset(gathered.products),
    )


def _plans(
    tables: Tables, listings: Listings, wanted: Wanted
) -> Mapping[tuple[Span, ...], set[str | None]]:
    """Return what is to be read, with the retention classes that it is to be read of."""
    found: dict[tuple[Span, ...], set[str | None]] = {}
    instead = () if wanted.like else wanted.wider
    for kept in {kept for each in listings.values() for kept in each.held}:
        reading = _OfClasses(tables, listings, {kept}, wanted)
        cut = (still_there(span, reading.windows, instead, reading) for span in wanted.spans)
        found.setdefault(merged([*chain.from_iterable(cut)]), set()).add(kept)
    return found


def _declared(
    plan: Sequence[Span], counts: Sequence[int], asked: Sequence[Span]
) -> tuple[Span, ...]:
    """Return a plan's spans as read; where no windows are in wider ones, as asked."""
    said: list[Span] = []
    for span, count in zip(plan, counts, strict=True):
        is_told = count or span.tier.name == "expired"
        said += [span] if is_told else _within(span, asked)
    return merged(said)


def _within(span: Span, asked: Sequence[Span]) -> list[Span]:
    cut = [
        Span(each.tier, max(each.start_us, span.start_us), min(each.end_us, span.end_us))
        for each in asked
    ]
    return [each for each in cut if each.start_us < each.end_us]


class _OfClasses:
    """The tables as far as some retention classes go."""

    def __init__(
        self, tables: Tables, listings: Listings, classes: Set[str | None], wanted: Wanted
    ) -> None:
        self._tables, self._wanted, self.known_by = tables, wanted, wanted.wider
        self._listings = {name: each.of_classes(classes) for name, each in listings.items()}
        self._where = dict(wanted.where)

    def gaps(self, span: Span) -> list[Gap]:
        """Return the parts of a span whose partitions its table has no more."""
        like = self._wanted.like
        judged = span._replace(tier=like) if like and not span.tier.width_us else span
        return touching(gone(judged, self._listings, self.known_by, self._series(span)))

    def windows(self, span: Span) -> list[Span]:
        """Return a span as one that is to be read."""
        return [span]

    def nothing(self, span: Span) -> Span:
        """Return a span in which there is nothing to be read."""
        return span

    def tells_of(self, around: Span, span: Span) -> bool:
        """Say whether windows of `around` may hold values of a span within it."""
        is_there = (pl.col("last_at") >= span.start_us) & (pl.col("first_at") < span.end_us)
        return any(
            len(
                part.with_columns(pl.col("first_at", "last_at").cast(pl.Int64)).filter(
                    pl.col("count") > 0, is_there
                )
            )
            for part in self.parts(around, ("count", "first_at", "last_at"))
        )

    def parts(self, span: Span, columns: tuple[str, ...]) -> Iterator[pl.DataFrame]:
        """Yield the windows that begin in a span, so many at a time."""
        bounds = span.start_us, span.end_us
        paths = self._listings[span.tier.table].holding(*self._series(span), *bounds)
        if span.tier.name == "expired" or not paths:
            return iter(())
        start, end = (pl.lit(micros).cast(TIME) for micros in bounds)
        where = pl.col("window_start").is_between(start, end, closed="left")
        names = {name: [value] for name, value in self._wanted.where}
        return parts(self._tables[span.tier.table], sorted(paths), columns, where, names)

    def _series(self, span: Span) -> tuple[str | None, str | None]:
        subject = BY_NAME[span.tier.table].key[2]
        return self._where.get(subject), self._where.get("metric")
