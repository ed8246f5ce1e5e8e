"""What is told of watched subjects, out of some files of a table: windows that are final.

Windows of products whose lateness is unbounded are never final: they are told as they stand.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import polars as pl

from services.query.listing import EVER, NEVER, Listing, TableFiles, may_hold
from services.query.live.channel import Subject
from services.query.live_windows import columns, points
from services.query.scanning import TIME, read
from services.query.watermarks import Marks

Points = dict[Subject, list[dict[str, object]]]


def newest_start(listing: Listing, name: str) -> int | None:
    """Return about when a subject's newest window begins, in microseconds since 1970."""
    bounds = zip(listing.highs.tolist(), listing.subjects, strict=True)
    highs = [high for high, subjects in bounds if may_hold(subjects, name)]
    return max((high for high in highs if EVER < high < NEVER), default=None)


class Wanted(NamedTuple):
    """Whose windows are wanted, by which marks, from which start on in microseconds since 1970."""

    subjects: Collection[Subject]
    marks: Marks
    first_us: int | None = None


def told_points(files: TableFiles, paths: Sequence[str], wanted: Wanted) -> Points:
    """Return the windows in files that each subject is told, as `/v1/windows` has them.

    All are read at once. A point's `end` is the window's end in microseconds since 1970.
    """
    if not paths:
        return {}
    column = files.table.key[2]
    names = sorted({subject.name for subject in wanted.subjects})
    where = pl.col("is_final") | _is_never_final(wanted)
    if wanted.first_us is not None:
        where &= pl.col("window_start") >= pl.lit(wanted.first_us).cast(TIME)
    rows = read(files, paths, ("tenant", *columns(files.table)), where, {column: names})
    return {subject: _points(rows, column, subject) for subject in wanted.subjects}


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
