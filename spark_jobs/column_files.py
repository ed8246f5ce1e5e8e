"""New files of a Delta table from Arrow columns, written as they are: words stay words.

delta-rs takes words apart into texts and encodes them again, and each column's statistics with
them; for rows that repeat their message's columns that is most of the cost of a commit.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from pyarrow import fs

from spark_jobs.schema import arrow_schema
from spark_jobs.table_files import folder, now_ms
from telemetry.errors import HeadwaterError
from telemetry.tables import Table

GROUP_ROWS = 256 * 1024
_TEXTS = ("string", "binary")
_LEVEL = 1


def added(uri: str, table: Table, rows: pa.Table) -> list[AddAction]:
    """Write the rows, a file a partition; return what adds them."""
    if not rows.num_rows:
        return []
    store, root = fs.FileSystem.from_uri(uri)
    kept = _checked(table, rows)
    return [
        _put(store, root, table, partition, of_partition)
        for partition, of_partition in _partitions(table, kept)
    ]


def _checked(table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows with the table's columns and types, but words for texts where they are."""
    columns = []
    for field in arrow_schema(table):
        column = rows[field.name]
        if not field.nullable and column.null_count:
            raise HeadwaterError(f"{table.name}: a row has no {field.name}")
        is_word = pa.types.is_dictionary(column.type) and column.type.value_type == field.type
        columns.append(column if is_word else column.cast(field.type))
    return pa.table(columns, names=[*table.column_names])


def _partitions(table: Table, rows: pa.Table) -> Iterator[tuple[dict[str, str], pa.Table]]:
    keys = [_codes(rows[name]) for name in table.partition_by]
    content = rows.drop_columns([*table.partition_by])
    if all(len(values) == 1 for _, values in keys):
        names = zip(table.partition_by, keys, strict=True)
        yield {name: values[0] for name, (_, values) in names}, content
        return
    codes = np.stack([code for code, _ in keys], axis=1)
    found, inverse = np.unique(codes, axis=0, return_inverse=True)
    for number, places in enumerate(found):
        partition = {
            name: values[place]
            for name, (_, values), place in zip(table.partition_by, keys, places, strict=True)
        }
        yield partition, content.filter(pa.array(inverse.ravel() == number))


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = encoded.unify_dictionaries().combine_chunks()
    indices = whole.indices.to_numpy()
    used, codes = np.unique(indices, return_inverse=True)
    return codes, [str(value) for value in whole.dictionary.take(pa.array(used)).to_pylist()]


def _put(
    store: fs.FileSystem, root: str, table: Table, partition: dict[str, str], rows: pa.Table
) -> AddAction:
    name = f"{folder(partition)}/part-{uuid.uuid4()}.zstd.parquet".lstrip("/")
    path = f"{root}/{name}"
    store.create_dir(path.rpartition("/")[0])
    statistics = [each for each in table.statistics if each not in table.partition_by]
    try:
        size = _written(store, path, rows, statistics)
    except OSError:
        # A disk that is full has no room for a half of a file either.
        with suppress(OSError):
            store.delete_file(path)
        raise
    said = json.dumps(_statistics(rows, statistics))
    return AddAction(name, size, partition, now_ms(), True, said)


def _written(store: fs.FileSystem, path: str, rows: pa.Table, statistics: list[str]) -> int:
    with store.open_output_stream(path) as file:
        pq.write_table(
            rows,
            file,
            row_group_size=GROUP_ROWS,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=[field.name for field in rows.schema if _repeats(field.type)],
            write_statistics=statistics,
            store_schema=False,
        )
        return int(file.tell())


def _repeats(type_: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(type_) or pa.types.is_map(type_))


def _statistics(rows: pa.Table, names: list[str]) -> dict[str, object]:
    spans = {name: _span(rows[name]) for name in names}
    return {
        "numRecords": rows.num_rows,
        "minValues": {name: span[0] for name, span in spans.items() if span[0] is not None},
        "maxValues": {name: span[1] for name, span in spans.items() if span[1] is not None},
        "nullCount": {name: rows[name].null_count for name in names},
    }


def _span(column: pa.ChunkedArray) -> tuple[object, object]:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries().unique().cast(pa.string())
    least, greatest = pc.min_max(column).values()
    return _plain(least.as_py()), _plain(greatest.as_py())


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, date) else value
