"""Parquet files in which column chunks that are alike are written once.

A row group says of each of its column chunks where it begins. The row groups of a block of
readings, one a metric, say the same place for all that the readings of a message share:

    chunks      seq  event_time  …  metric 0  value 0  metric 1  value 1
    row group 0  x        x      x      x        x
    row group 1  x        x      x                         x        x

To a reader these are rows like others; written, a message's columns cost what one row costs.
Within a row group each column has a place of its own: there are readers that ask for the bytes of
all its columns at once and take two at one place for damage.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import NamedTuple, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from spark_jobs.parquet_footer import (
    BINARY,
    I16,
    I64,
    LIST,
    MAGIC,
    STRUCT,
    Items,
    Parts,
    Struct,
    Value,
    encoded,
    footer,
    structs,
    tail,
)
from spark_jobs.reading_rows import OK, VALUES, Block, repeated
from spark_jobs.schema import is_of

GROUP_ROWS = 256 * 1024
_SMALLEST, _LEVEL, _DENSE_LEVEL = "zstd", 1, 3
_FASTEST = "snappy"
LARGE_BYTES = 64 * 1024
"""Of a column in memory. Files of fewer are packed into larger ones before long."""
# Fields of Parquet's FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_NUM_ROWS, _GROUPS = 3, 4
_COLUMNS, _BYTES, _ROWS, _OFFSET, _COMPRESSED, _ORDINAL = 1, 2, 3, 5, 6, 7
_CHUNK_OFFSET, _META = 2, 3
_PATH, _META_BYTES, _META_COMPRESSED, _PLACES = 3, 6, 7, (9, 10, 11)
_CHANGED: Parts = {_GROUPS: {_COLUMNS: {_META: {_PATH: {}}}}}
"""What is taken apart of a footer."""


class BinaryFile(Protocol):
    """What is written to."""

    def write(self, content: bytes | memoryview, /) -> int:
        """Write all of it; return how much that was."""


class Piece(NamedTuple):
    """Columns to write, and of which of them each row group is made, by the table's columns."""

    content: pa.Table
    groups: Sequence[Mapping[str, str]]


class _Chunk(NamedTuple):
    """A column chunk's metadata, encoded, and its sizes."""

    packed: bytes
    size: int
    compressed: int


def of_rows(rows: pa.Table) -> list[Piece]:
    """Return rows as they are, in row groups of a bounded size."""
    starts = range(0, rows.num_rows, GROUP_ROWS)
    same = {name: name for name in rows.column_names}
    return [Piece(rows.slice(start, GROUP_ROWS), [same]) for start in starts]


def of_block(block: Block) -> Piece:
    """Return a block without nulls: a row group a metric."""
    messages, count = block.messages, block.messages.num_rows
    content = {name: messages[name] for name in messages.column_names}
    shared = {name: name for name in content}
    shared["quality"] = "quality"
    content["quality"] = repeated(OK, count)
    groups: list[dict[str, str]] = []
    for number, metric in enumerate(block.metrics()):
        own = {"metric": f"metric {number}", "unit": f"unit {metric.unit!r}"}
        own |= {name: f"no {name}" for name in VALUES} | {metric.value_column: f"value {number}"}
        content[own["metric"]] = repeated(metric.name, count)
        content[f"value {number}"] = metric.values
        content.setdefault(own["unit"], repeated(metric.unit, count))
        for name, type_ in VALUES.items():
            if own[name] not in content:
                content[own[name]] = pa.nulls(count, type_)
        groups.append(shared | own)
    return Piece(pa.table(content), groups)


def write(
    file: BinaryFile,
    pieces: Iterable[Piece],
    schema: pa.Schema,
    statistics: Sequence[str],
    *,
    dense: bool = False,
) -> int:
    """Write the pieces as one file with the schema's columns; return its size.

    What is written densely, numbers by their dictionary, costs more and is for what stays.
    """
    heads = [*islice(left := iter(pieces), 2)]
    if len(heads) == 1 and len(heads[0].groups) == 1:
        return _write_alone(file, heads[0], schema, statistics, dense)
    groups: list[Value] = []
    size, rows = file.write(MAGIC), 0
    for piece in chain(heads, left):
        body, of_piece = _written(piece, statistics, dense)
        chunks = _Chunks(of_piece, size - len(MAGIC))
        for columns in piece.groups:
            named = [chunk for name in schema.names for chunk in chunks.of(columns[name], name)]
            groups.append(_group(named, piece.content.num_rows, len(groups), size))
            rows += piece.content.num_rows
        size += file.write(body)
    found: Struct = {_NUM_ROWS: (I64, rows), _GROUPS: (LIST, (STRUCT, groups))}
    return size + file.write(tail(_empty(schema) | found))


def _write_alone(
    file: BinaryFile, piece: Piece, schema: pa.Schema, statistics: Sequence[str], dense: bool
) -> int:
    """Write the only row group of a file, its footer as the library makes it.

    Years of history are hundreds of small files a batch, and their footers most of the work.
    """
    (columns,) = piece.groups
    content = {field.name: _of_type(piece.content[columns[field.name]], field) for field in schema}
    return file.write(_encoded(pa.table(content), statistics, dense))


def _of_type(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """Return a column in its field's type, words as words."""
    return column if is_of(column.type, field.type) else column.cast(field.type)


class _Chunks:
    """The chunks of a piece by its columns' names, and as they are called in a row group."""

    def __init__(self, of_piece: Struct, moved: int) -> None:
        self._found: dict[str, list[Struct]] = {}
        self._named: dict[tuple[str, str], list[_Chunk]] = {}
        self._moved = moved
        (group,) = structs(of_piece[_GROUPS])
        for chunk in structs(group[_COLUMNS]):
            self._found.setdefault(_path(chunk)[0].decode(), []).append(chunk)

    def of(self, column: str, name: str) -> list[_Chunk]:
        """Return the chunks of a column, one a leaf, under the name that the table has for it."""
        key = column, name
        if key not in self._named:
            self._named[key] = [self._called(chunk, name) for chunk in self._found[column]]
        return self._named[key]

    def _called(self, chunk: Struct, name: str) -> _Chunk:
        meta = dict(cast(Struct, chunk[_META][1]))
        path = [name.encode(), *_path(chunk)[1:]]
        meta[_PATH] = LIST, (BINARY, [*path])
        for place in _PLACES:
            if place in meta:
                meta[place] = I64, cast(int, meta[place][1]) + self._moved
        offset = cast(int, chunk[_CHUNK_OFFSET][1])
        # Writers set it to 0 where the metadata stands in the footer alone.
        moved = offset + self._moved if offset else 0
        packed = encoded({**chunk, _CHUNK_OFFSET: (I64, moved), _META: (STRUCT, meta)})
        sizes = (cast(int, meta[field][1]) for field in (_META_BYTES, _META_COMPRESSED))
        return _Chunk(packed, *sizes)


def _path(chunk: Struct) -> list[bytes]:
    meta = cast(Struct, chunk[_META][1])
    return cast(list[bytes], cast(Items, meta[_PATH][1])[1])


def _group(chunks: list[_Chunk], rows: int, number: int, offset: int) -> bytes:
    return encoded(
        {
            _COLUMNS: (LIST, (STRUCT, [chunk.packed for chunk in chunks])),
            _BYTES: (I64, sum(chunk.size for chunk in chunks)),
            _ROWS: (I64, rows),
            _OFFSET: (I64, offset),
            _COMPRESSED: (I64, sum(chunk.compressed for chunk in chunks)),
            _ORDINAL: (I16, number),
        }
    )


@lru_cache
def _empty(schema: pa.Schema) -> Struct:
    sink = io.BytesIO()
    pq.write_table(schema.empty_table(), sink, store_schema=False)
    return footer(sink.getvalue(), {})[0]


def _written(piece: Piece, statistics: Sequence[str], dense: bool) -> tuple[memoryview, Struct]:
    """Write the columns into one row group; return the file's body, and its footer."""
    whole = _encoded(piece.content, statistics, dense)
    found, end = footer(whole, _CHANGED)
    return whole[len(MAGIC) : end], found


def _encoded(content: pa.Table, statistics: Sequence[str], dense: bool) -> memoryview:
    sink = io.BytesIO()
    kinds = {field.name: field.type for field in content.schema}
    kept = [name for name in kinds if name in statistics or name.startswith("metric ")]
    codecs, level = _codecs(content), _DENSE_LEVEL if dense else _LEVEL
    pq.write_table(
        content,
        sink,
        row_group_size=max(1, content.num_rows),
        compression=codecs,
        compression_level={leaf: level for leaf, codec in codecs.items() if codec == _SMALLEST},
        use_dictionary=[leaf for name in kinds for leaf in _repeated(name, kinds[name], dense)],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in kinds if _counts(kinds[name])},
        write_statistics=kept,
        store_schema=False,
    )
    return sink.getbuffer()


def _codecs(content: pa.Table) -> dict[str, str]:
    """Return the codec of each leaf: of a few bytes, zstd's start costs more than all else."""
    codecs: dict[str, str] = {}
    for name, column in zip(content.column_names, content.columns, strict=True):
        codec = _SMALLEST if column.nbytes >= LARGE_BYTES else _FASTEST
        codecs |= dict.fromkeys(_leaves(name, column.type), codec)
    return codecs


def _leaves(name: str, type_: pa.DataType) -> Iterator[str]:
    """Yield what Parquet calls the leaves of a column."""
    if pa.types.is_map(type_):
        yield from _leaves(f"{name}.key_value.key", type_.key_type)
        yield from _leaves(f"{name}.key_value.value", type_.item_type)
    elif pa.types.is_list(type_):
        yield from _leaves(f"{name}.list.element", type_.value_type)
    elif pa.types.is_struct(type_):
        for field in type_:
            yield from _leaves(f"{name}.{field.name}", field.type)
    else:
        yield name


def _repeated(name: str, type_: pa.DataType, dense: bool) -> list[str]:
    """Return the leaves of a column that have few values, each many times."""
    if pa.types.is_map(type_):
        return [f"{name}.key_value.key"]
    is_word = pa.types.is_dictionary(type_) or pa.types.is_int32(type_)
    is_value = name.startswith("value ") and (dense or type_ == pa.string())
    return [name] if is_word or is_value or name in ("lat", "lng") else []


def _counts(type_: pa.DataType) -> bool:
    return bool(pa.types.is_int64(type_) or pa.types.is_timestamp(type_))
