"""New files of a Delta table from Arrow columns, written as they are: words stay words.

delta-rs takes words apart into texts and encodes them again, and each column's statistics with
them; for rows that repeat their message's columns that is most of the cost of a commit.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from pyarrow import fs

from spark_jobs.bounds import greatest, least
from spark_jobs.reading_rows import OF_READING, Block, ReadingRows, parted
from spark_jobs.row_files import PACKED, folder, now_ms
from spark_jobs.schema import arrow_schema, is_of
from spark_jobs.shared_chunks import Piece, of_block, of_rows, write
from telemetry.errors import HeadwaterError
from telemetry.tables import Table


class _Content(NamedTuple):
    """What goes into one file: rows, and blocks of readings."""

    rows: pa.Table
    blocks: list[Block]


class _Statistics(NamedTuple):
    """What is said of rows: how many, and the bounds and nulls of columns."""

    records: int
    spans: Mapping[str, tuple[Any, Any]]
    nulls: dict[str, int]


def added(uri: str, table: Table, rows: pa.Table | ReadingRows) -> list[AddAction]:
    """Write the rows, a file a partition; return what adds them."""
    if not rows.num_rows:
        return []
    place = fs.FileSystem.from_uri(uri)
    found = rows if isinstance(rows, ReadingRows) else ReadingRows((), rows)
    contents: dict[tuple[str, ...], _Content] = {}
    nothing = found.rows.slice(0, 0)
    for values, of_partition in _partitions(table, _checked(table, found.rows)):
        contents[values] = _Content(of_partition, [])
    for block in found.blocks:
        kept = block._replace(messages=_checked(table, block.messages))
        for values, mask in _masks(table, kept.messages):
            content = contents.setdefault(values, _Content(nothing, []))
            content.blocks.append(kept if mask is None else kept.only(mask))
    return [
        _put(place, table, dict(zip(table.partition_by, values, strict=True)), [content])
        for values, content in contents.items()
    ]


def added_in_parts(
    uri: str, table: Table, partition: Mapping[str, str], parts: Iterable[ReadingRows]
) -> AddAction:
    """Write the parts of one partition, which stay, into one file; return what adds it."""
    contents = (
        _Content(
            _checked(table, part.rows),
            [block._replace(messages=_checked(table, block.messages)) for block in part.blocks],
        )
        for part in parts
    )
    return _put(fs.FileSystem.from_uri(uri), table, partition, contents, dense=True)


def as_text(file: AddAction) -> str:
    """Return what adds a file as JSON, for another process to commit it."""
    return json.dumps(
        [file.path, file.size, file.partition_values, file.modification_time, file.stats]
    )


def from_text(said: str) -> AddAction:
    """Return what adds a file that another process has written."""
    path, size, partition, at_ms, statistics = json.loads(said)
    return AddAction(path, size, partition, at_ms, True, statistics)


def records(file: AddAction) -> int:
    """Return how many rows a file that was written here has."""
    return int(json.loads(file.stats)["numRecords"])


def content(uri: str, files: Iterable[AddAction], columns: Sequence[str]) -> pa.Table:
    """Return what files hold, be they committed or not."""
    store, root = fs.FileSystem.from_uri(uri)
    paths = [f"{root}/{unquote(file.path)}" for file in files]
    return pq.ParquetDataset(paths, filesystem=store, partitioning=None).read([*columns])


def _checked(table: Table, rows: pa.Table) -> pa.Table:
    """Return the table's columns that are there in its types, but words for texts."""
    columns, there = {}, dict(zip(rows.column_names, rows.columns, strict=True))
    for field in arrow_schema(table):
        column = there.get(field.name)
        if column is None:
            continue
        if not field.nullable and column.null_count:
            raise HeadwaterError(f"{table.name}: a row has no {field.name}")
        # A cast that changes nothing has its price as well, and there are many columns.
        columns[field.name] = column if is_of(column.type, field.type) else column.cast(field.type)
    return pa.table(columns)


def _partitions(table: Table, rows: pa.Table) -> Iterator[tuple[tuple[str, ...], pa.Table]]:
    if rows.num_rows:
        for values, mask in _masks(table, rows):
            yield values, rows if mask is None else rows.filter(mask)


def _masks(table: Table, rows: pa.Table) -> Iterator[tuple[tuple[str, ...], np.ndarray | None]]:
    """Yield each partition, and which rows are of it, None for all."""
    keys = [_codes(rows[name]) for name in table.partition_by]
    if all(len(values) == 1 for _, values in keys):
        yield tuple(values[0] for _, values in keys), None
        return
    codes = np.stack([code for code, _ in keys], axis=1)
    found, inverse = np.unique(codes, axis=0, return_inverse=True)
    for number, places in enumerate(found):
        values = (of[place] for (_, of), place in zip(keys, places, strict=True))
        yield tuple(values), inverse.ravel() == number


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = encoded.unify_dictionaries().combine_chunks()
    indices = whole.indices.to_numpy()
    used, codes = np.unique(indices, return_inverse=True)
    return codes, [str(value) for value in whole.dictionary.take(pa.array(used)).to_pylist()]


def _put(
    place: tuple[fs.FileSystem, str],
    table: Table,
    partition: Mapping[str, str],
    contents: Iterable[_Content],
    *,
    dense: bool = False,
) -> AddAction:
    kind = PACKED if dense else "part"
    name = f"{folder(partition)}/{kind}-{uuid.uuid4()}.zstd.parquet".lstrip("/")
    store, root = place
    path = f"{root}/{name}"
    store.create_dir(path.rpartition("/")[0])
    names = [each for each in table.statistics if each not in table.partition_by]
    schema = stored_schema(table)
    said: list[_Statistics] = []

    def pieces() -> Iterator[Piece]:
        for content in contents:
            said.append(_statistics(content, names))
            yield from _pieces(content, schema)

    try:
        with store.open_output_stream(path) as file:
            size = write(file, pieces(), schema, names, dense=dense)
    except OSError:
        # A disk that is full has no room for a half of a file either.
        with suppress(OSError):
            store.delete_file(path)
        raise
    told = json.dumps(_of_all(said, names))
    return AddAction(name, size, {**partition}, now_ms(), True, told)


def stored_schema(table: Table) -> pa.Schema:
    """Return the columns that the table's files have: all but those it is partitioned by."""
    return pa.schema(
        [
            field.with_nullable(True)
            for field in arrow_schema(table)
            if field.name not in table.partition_by
        ]
    )


def _pieces(content: _Content, schema: pa.Schema) -> Iterator[Piece]:
    loose = [content.rows.select(schema.names)] if content.rows.num_rows else []
    shared = [name for name in schema.names if name not in OF_READING]
    for block in content.blocks:
        whole, left = parted(block._replace(messages=block.messages.select(shared)))
        yield from map(of_block, whole)
        loose += [] if left is None else [rows.select(schema.names) for rows in left.rows()]
    if loose:
        yield from of_rows(pa.concat_tables(loose).unify_dictionaries())


def _statistics(content: _Content, names: list[str]) -> _Statistics:
    nulls = {name: content.rows[name].null_count for name in names}
    for block in content.blocks:
        for name in set(names).intersection(block.messages.column_names):
            nulls[name] += _nulls(block, name)
    return _Statistics(
        content.rows.num_rows + sum(block.num_rows for block in content.blocks),
        {name: _span([*_columns(content, name)]) for name in names},
        nulls,
    )


def _of_all(said: Sequence[_Statistics], names: list[str]) -> dict[str, object]:
    """Return statistics of parts as Delta has those of a file."""
    low, high = (
        {
            name: [each.spans[name][end] for each in said if each.spans[name][end] is not None]
            for name in names
        }
        for end in range(2)
    )
    return {
        "numRecords": sum(each.records for each in said),
        "minValues": {name: min(found) for name, found in low.items() if found},
        "maxValues": {name: max(found) for name, found in high.items() if found},
        "nullCount": {name: sum(each.nulls[name] for each in said) for name in names},
    }


def _columns(content: _Content, name: str) -> Iterator[pa.ChunkedArray]:
    if content.rows.num_rows:
        yield content.rows[name]
    for block in content.blocks:
        if name in block.messages.column_names:
            yield block.messages[name]
        else:
            yield pa.chunked_array([pa.array(block.columns.column_names, pa.string())])


def _nulls(block: Block, name: str) -> int:
    column = block.messages[name]
    if not column.null_count:
        return 0
    is_null = column.is_null()
    return sum(pc.sum(pc.and_(is_null, each.is_valid())).as_py() for each in block.columns.columns)


def _span(columns: list[pa.ChunkedArray]) -> tuple[object, object]:
    found = [pc.min_max(_distinct(column)).as_py() for column in columns]
    low = [span["min"] for span in found if span["min"] is not None]
    high = [span["max"] for span in found if span["max"] is not None]
    return least(min(low, default=None)), greatest(max(high, default=None))


def _distinct(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(column.type):
        return column
    if column.num_chunks == 1 and not column.null_count:
        # Words that no row has are few: dictionaries are those of a batch.
        used = pc.unique(column.chunk(0).indices)
        return column.chunk(0).dictionary.take(used)
    return column.unify_dictionaries().unique().cast(pa.string())
