"""Final windows of watched subjects, out of some files of a table."""

from collections.abc import Collection, Iterable, Sequence

import polars as pl

from services.query.listing import EVER, NEVER, Listing, TableFiles, may_hold
from services.query.live.channel import Subject
from services.query.live_windows import columns, points
from services.query.scanning import TIME, read

Points = dict[Subject, list[dict[str, object]]]


def newest_start(listing: Listing, name: str) -> int | None:
    """Return about when a subject's newest window begins, in microseconds since 1970."""
    bounds = zip(listing.highs.tolist(), listing.subjects, strict=True)
    highs = [high for high, subjects in bounds if may_hold(subjects, name)]
    return max((high for high in highs if EVER < high < NEVER), default=None)


def final_points(
    files: TableFiles, paths: Sequence[str], subjects: Collection[Subject], first_us: int | None
) -> Points:
    """Return each subject's final windows in files, as `/v1/windows` has them, in one read.

    `first_us`: where the first window begins that is wanted, in microseconds since 1970. A point's
    `end` is the window's end likewise.
    """
    if not paths:
        return {}
    column = files.table.key[2]
    names = sorted({subject.name for subject in subjects})
    where = pl.col("is_final")
    if first_us is not None:
        where &= pl.col("window_start") >= pl.lit(first_us).cast(TIME)
    rows = read(files, paths, ("tenant", *columns(files.table)), where, {column: names})
    return {subject: _points(rows, column, subject) for subject in subjects}


def _points(rows: pl.DataFrame, column: str, subject: Subject) -> list[dict[str, object]]:
    mine = rows.filter(pl.col("tenant") == subject.tenant, pl.col(column) == subject.name)
    if subject.metric is not None:
        mine = mine.filter(pl.col("metric") == subject.metric)
    ends: Iterable[int] = mine["window_end"].cast(pl.Int64)
    return [
        point | {"end": end} for point, end in zip(points(mine.drop("tenant")), ends, strict=True)
    ]
