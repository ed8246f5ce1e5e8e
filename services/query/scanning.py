"""Rows of whole tables, not of one series: filtered as their files are read."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

from services.query.listing import TableFiles

READ_AGAIN = 3
BATCH_ROWS = 128 * 1024
Result = TypeVar("Result")


def read(
    files: TableFiles, paths: Sequence[str], columns: Sequence[str], where: pc.Expression | None
) -> pl.DataFrame:
    """Return columns of the rows that fit; raise FileNotFoundError if a rewrite was faster."""
    whole = [f"{files.folder}/{path}" for path in paths]
    table = ds.dataset(whole, filesystem=files.store, format="parquet").to_table(
        columns=list(columns), filter=where
    )
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def batches(
    files: TableFiles, paths: Sequence[str], columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """Yield columns of all rows, so many at a time: whole files may be more than memory holds."""
    for path in paths:
        whole = ds.dataset(f"{files.folder}/{path}", filesystem=files.store, format="parquet")
        scanner = whole.scanner(columns=list(columns), batch_size=BATCH_ROWS, batch_readahead=1)
        for batch in scanner.to_batches():
            found = pl.from_arrow(batch)
            assert isinstance(found, pl.DataFrame)
            yield found


def tried(make: Callable[[], Result]) -> Result:
    """Do it again while files vanish meanwhile: their rows are in others by then."""
    for _ in range(READ_AGAIN):
        try:
            return make()
        except FileNotFoundError:
            continue
    return make()
