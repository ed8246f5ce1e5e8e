"""A series in one Parquet file: the row groups that may hold it, the columns asked for."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from services.query.cache import Cache

Mask = NDArray[np.bool_]
MOST_RAW_ROWS = 2_000_000
"""Rows of one series that are read raw for an answer; more are asked of windows."""
BATCH_ROWS = 32 * 1024
FOOTER_BYTES = 12 * 1024 * 1024


class TooManyRows(Exception):
    """A series has more rows here than one answer may read."""


class Series(NamedTuple):
    """Whose rows are wanted: values by column, such as tenant, device_full, metric."""

    where: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns."""
        return [name for name, _ in self.where]


class Within(NamedTuple):
    """A column of whole numbers, and which of them are wanted: [start, end)."""

    name: str
    start: int
    end: int


class Footer(NamedTuple):
    """A file's metadata, and the positions of its columns."""

    metadata: pq.FileMetaData
    positions: Mapping[str, int]


class Pieces:
    """Reads and keeps series of files, which never change."""

    def __init__(self, most_bytes: int, most_rows: int = MOST_RAW_ROWS) -> None:
        self.most_rows = most_rows
        self._pieces: Cache[pa.Table | None] = Cache(most_bytes)
        self._footers: Cache[Footer] = Cache(FOOTER_BYTES)

    def read(
        self,
        store: fs.FileSystem,
        path: str,
        series: Series,
        columns: Sequence[str],
        within: Within | None = None,
    ) -> pa.Table:
        """Return a file's rows of a series; raise `TooManyRows`, or FileNotFoundError.

        `within`: where these are too many, those of the row groups that may have such a number.
        """
        for part in dict.fromkeys((None, within)):
            found = self._pieces.get(
                (path, series, tuple(columns), part),
                partial(self._read, store, path, series, (columns, part)),
                _piece_bytes,
            )
            if found is not None:
                return found
        raise TooManyRows(path)

    def _read(
        self,
        store: fs.FileSystem,
        path: str,
        series: Series,
        wanted: tuple[Sequence[str], Within | None],
    ) -> pa.Table | None:
        """Return the rows; None: there are more than may be read."""
        columns, within = wanted
        footer = self._footers.get(path, lambda: _footer(store, path), _footer_bytes)
        there = [name for name in columns if name in footer.positions]
        groups = list(_groups(footer, series, within))
        texts = [name for name in (*series.columns, *there) if _is_text(footer, name)]
        found: list[pa.Table] = []
        rows = 0
        with store.open_input_file(path) as source:
            file = pq.ParquetFile(source, metadata=footer.metadata, read_dictionary=texts)
            schema = pa.schema([_plain_field(file.schema_arrow.field(name)) for name in there])
            for group in groups:
                mask = _mask(file, group, _undecided(footer, group, series))
                rows += int(mask.sum())
                if rows > self.most_rows:
                    return None
                told = _told(footer, group, there)
                read = [name for name in there if name not in told] or there[:1]
                parts = _chosen(file, group, read, mask)
                found += [_whole(_plain(part), told, schema) for part in parts]
        return pa.concat_tables([schema.empty_table(), *found]).combine_chunks()


def _piece_bytes(piece: pa.Table | None) -> int:
    return 512 + (0 if piece is None else piece.nbytes)


def _footer(store: fs.FileSystem, path: str) -> Footer:
    with store.open_input_file(path) as source:
        metadata = pq.read_metadata(source)
    names = metadata.schema.names
    return Footer(metadata, {metadata.schema.column(n).path: n for n in range(len(names))})


def _footer_bytes(footer: Footer) -> int:
    return 4096 + 4 * int(footer.metadata.serialized_size)


def _is_text(footer: Footer, name: str) -> bool:
    column = footer.metadata.schema.column(footer.positions[name])
    return bool(column.physical_type == "BYTE_ARRAY")


def _groups(footer: Footer, series: Series, within: Within | None) -> Iterator[int]:
    for number in range(footer.metadata.num_row_groups):
        group = footer.metadata.row_group(number)
        chunks = ((group.column(footer.positions[name]), value) for name, value in series.where)
        if not all(_may_hold(chunk, value) for chunk, value in chunks):
            continue
        if within is None or _reaches(group.column(footer.positions[within.name]), within):
            yield number


def _reaches(chunk: pq.ColumnChunkMetaData, within: Within) -> bool:
    found = chunk.statistics
    if found is None or not found.has_min_max:
        return True
    return bool(found.min < within.end and found.max >= within.start)


def _may_hold(chunk: pq.ColumnChunkMetaData, value: str) -> bool:
    found = chunk.statistics
    if found is None or not found.has_min_max:
        return True
    return bool(found.min <= value <= found.max)


def _undecided(footer: Footer, number: int, series: Series) -> Series:
    """Leave out what all rows of a group are by its statistics: that column is not read."""
    group = footer.metadata.row_group(number)
    named = ((name, value, group.column(footer.positions[name])) for name, value in series.where)
    return Series(tuple((name, value) for name, value, chunk in named if not _is_all(chunk, value)))


def _is_all(chunk: pq.ColumnChunkMetaData, value: str) -> bool:
    found = chunk.statistics
    if found is None or not found.has_min_max or not found.has_null_count or found.null_count:
        return False
    return bool(found.min == found.max == value)


def _told(footer: Footer, number: int, columns: Sequence[str]) -> dict[str, str | None]:
    """Return what columns have in all rows of a group, by its statistics: they are not read."""
    group = footer.metadata.row_group(number)
    chunks = {name: group.column(footer.positions[name]) for name in columns}
    nothing: dict[str, str | None] = {
        name: None for name, chunk in chunks.items() if _is_empty(chunk)
    }
    texts = ((name, chunk) for name, chunk in chunks.items() if _is_text(footer, name))
    return nothing | {
        name: chunk.statistics.min
        for name, chunk in texts
        if name not in nothing and chunk.statistics and _is_all(chunk, chunk.statistics.min)
    }


def _is_empty(chunk: pq.ColumnChunkMetaData) -> bool:
    found = chunk.statistics
    return bool(found and found.has_null_count and found.null_count == chunk.num_values)


def _mask(file: pq.ParquetFile, group: int, series: Series) -> Mask:
    if not series.where:
        return np.ones(file.metadata.row_group(group).num_rows, dtype=bool)
    keys = file.read_row_group(group, columns=series.columns)
    masks = [_is_value(keys.column(name), value) for name, value in series.where]
    found: Mask = np.logical_and.reduce(masks)
    return found


def _is_value(column: pa.ChunkedArray, value: str) -> Mask:
    """Compare numbers into the dictionary, not texts: a tenth of the time."""
    found = []
    for chunk in column.chunks:
        code = pc.index(chunk.dictionary, pa.scalar(value, chunk.dictionary.type)).as_py()
        found.append(pc.equal(chunk.indices, code).fill_null(False).to_numpy(zero_copy_only=False))
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def _chosen(
    file: pq.ParquetFile, group: int, columns: Sequence[str], mask: Mask
) -> Iterator[pa.Table]:
    """Yield the rows of a group that a mask names; what stands behind the last is not decoded."""
    named = np.flatnonzero(mask)
    if not len(named):
        return
    at = 0
    for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns):
        part = mask[at : at + len(batch)]
        at += len(batch)
        if part.any():
            yield pa.Table.from_batches([batch.filter(pa.array(part))])
        if at > named[-1]:
            return


def _whole(rows: pa.Table, told: Mapping[str, str | None], schema: pa.Schema) -> pa.Table:
    """Return rows with the columns that were not read."""
    for name in set(told).difference(rows.column_names):
        value = pa.scalar(told[name], schema.field(name).type)
        rows = rows.append_column(schema.field(name), pa.repeat(value, len(rows)))
    return rows.select(schema.names)


def _plain(rows: pa.Table) -> pa.Table:
    """Return rows with texts as texts, not as numbers into a file's dictionary."""
    return rows.cast(pa.schema([_plain_field(field) for field in rows.schema]))


def _plain_field(field: pa.Field) -> pa.Field:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    if pa.types.is_timestamp(kind):
        kind = pa.timestamp("us", tz="UTC")
    return pa.field(field.name, kind)
