"""What is told of watched subjects, out of some files of a table: windows that are final.

Windows of products whose lateness is unbounded are never final: they are told as they stand.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import polars as pl

from services.query.listing import EVER, NEVER, Listing, TableFiles, may_hold
from services.query.live.channel import HELD, Subject
from services.query.live_windows import columns, points
from services.query.scanning import TIME, read
from services.query.watermarks import Marks

Points = dict[Subject, list[dict[str, object]]]


def newest_start(listing: Listing, name: str) -> int | None:
    """Return about when a subject's newest window begins, in microseconds since 1970."""
    bounds = zip(listing.highs.tolist(), listing.subjects, strict=True)
    highs = [high for high, subjects in bounds if may_hold(subjects, name)]
    return max((high for high in highs if EVER < high < NEVER), default=None)


class Stretch(NamedTuple):
    """Windows that begin in [start, end), in microseconds since 1970."""

    start_us: int
    end_us: int


def stretches(newest: Iterable[int], back_us: int) -> list[Stretch]:
    """Return what is so far back from each newest start, in order, overlapping ones as one."""
    found: list[Stretch] = []
    for start in sorted(newest):
        first, end = start - back_us, start + 1
        if found and first <= found[-1].end_us:
            found[-1] = found[-1]._replace(end_us=end)
        else:
            found.append(Stretch(first, end))
    return found


class Wanted(NamedTuple):
    """Whose windows are wanted, by which marks; of stretches, each series' newest."""

    subjects: Collection[Subject]
    marks: Marks
    within: Sequence[Stretch] = ()


def told_points(files: TableFiles, paths: Sequence[str], wanted: Wanted) -> Points:
    """Return the windows in files that each subject is told, as `/v1/windows` has them.

    All are read at once. A point's `end` is the window's end in microseconds since 1970.
    """
    if not paths:
        return {}
    column = files.table.key[2]
    names = sorted({subject.name for subject in wanted.subjects})
    where = pl.col("is_final") | _is_never_final(wanted)
    if wanted.within:
        where &= pl.any_horizontal(*map(_begins_in, wanted.within))
    rows = read(files, paths, ("tenant", *columns(files.table)), where, {column: names})
    if wanted.within:
        series = ("tenant", column, "product", "metric")
        rows = rows.sort("window_start").group_by(series, maintain_order=True).tail(HELD)
    return {subject: _points(rows, column, subject) for subject in wanted.subjects}


def _begins_in(stretch: Stretch) -> pl.Expr:
    start, end = (pl.lit(micros).cast(TIME) for micros in stretch)
    return pl.col("window_start").is_between(start, end, closed="left")


def _is_never_final(wanted: Wanted) -> pl.Expr:
    tenants = {subject.tenant for subject in wanted.subjects}
    of_each = [
        (pl.col("tenant") == tenant) & pl.col("product").is_in(wanted.marks.unbounded(tenant))
        for tenant in sorted(tenants)
    ]
    return pl.any_horizontal(pl.lit(value=False), *of_each)


def _points(rows: pl.DataFrame, column: str, subject: Subject) -> list[dict[str, object]]:
    mine = rows.filter(pl.col("tenant") == subject.tenant, pl.col(column) == subject.name)
    if subject.metric is not None:
        mine = mine.filter(pl.col("metric") == subject.metric)
    ends: Iterable[int] = mine["window_end"].cast(pl.Int64)
    return [
        point | {"end": end} for point, end in zip(points(mine.drop("tenant")), ends, strict=True)
    ]
