"""The lake, read only: one version of each table, file by file, so that memory stays small."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from telemetry.errors import HeadwaterError
from telemetry.tables import Table

COORDINATES = ("topic", "partition", "offset", "item")
ROWS_AT_ONCE = 250_000


@dataclass(frozen=True, slots=True)
class LakeFiles:
    """The root of the lake; a path or an object store's URL."""

    root: str

    def exists(self, table: Table) -> bool:
        """Say whether the table was created."""
        return DeltaTable.is_deltatable(self._uri(table))

    def scan(self, table: Table) -> pl.LazyFrame:
        """Return the newest version of a table, lazily."""
        try:
            return pl.scan_delta(DeltaTable(self._uri(table)))
        except TableNotFoundError as error:
            raise HeadwaterError(
                f"no table {table.name} in {self.root}: start the streams with `headwater up`"
            ) from error

    def chunks(self, frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
        """Yield a scan's rows, some at a time."""
        yield from frame.collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=False)

    def _uri(self, table: Table) -> str:
        return f"{self.root}/{table.name.replace('.', '/')}"
