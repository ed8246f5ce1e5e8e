"""Files of readings as they were written: blocks of messages, and rows that stand for themselves.

A block's columns are decoded once, not once a metric.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from spark_jobs.reading_rows import VALUES, Block, metric_field

CHUNK_ROWS = 200_000
_METRIC = "metric"


def parts(file: str, columns: Sequence[str]) -> Iterator[Block | pa.Table]:
    """Yield the blocks of a file, then its other rows some at a time, with some of its columns.

    Columns that the file is partitioned by are taken from its path.
    """
    store, path = fs.FileSystem.from_uri(file)
    path = path if store.get_file_info(path).is_file else unquote(path)
    with store.open_input_file(path) as source:
        content = pq.ParquetFile(source)
        said = {name: value for name, value in _partition(path).items() if name in columns}
        stored = [name for name in columns if name not in said]
        loose: list[int] = []
        for groups in _alike(content.metadata):
            names = [_metric(content.metadata, group) for group in groups]
            if len(groups) > 1 and len(set(names)) == len(names) and None not in names:
                yield _block(content, groups, stored, said)
            else:
                loose += groups
        for some in _chunks(content.metadata, loose):
            yield _with(content.read_row_groups(some, columns=stored), said)


def _partition(path: str) -> dict[str, str]:
    folders = (folder.partition("=") for folder in path.split("/")[:-1])
    return {name: unquote(value) for name, sign, value in folders if sign}


def _alike(file: pq.FileMetaData) -> Iterator[list[int]]:
    """Yield row groups that follow one another and share their messages' columns."""
    places = {file.schema.column(n).path: n for n in range(file.num_columns)}
    shared = [places[name] for name in ("offset", "seq", "event_time", "device_full")]

    def chunks(group: int) -> list[int]:
        return [file.row_group(group).column(n).data_page_offset for n in shared]

    for _, groups in groupby(range(file.num_row_groups), key=chunks):
        yield [*groups]


def _metric(file: pq.FileMetaData, group: int) -> str | None:
    """Return the only metric of a row group, None where there may be more."""
    place = file.schema.names.index(_METRIC)
    span = file.row_group(group).column(place).statistics
    return str(span.min) if span is not None and span.has_min_max and span.min == span.max else None


def _block(
    content: pq.ParquetFile, groups: list[int], stored: Sequence[str], said: dict[str, str]
) -> Block:
    own = [_METRIC, *VALUES]
    messages = content.read_row_group(groups[0], [name for name in stored if name not in own])
    fields, columns = [], []
    for group in groups:
        name = _metric(content.metadata, group)
        values = content.read_row_group(group, [*VALUES])
        column = next((each for each in values.columns if each.null_count < len(each)), None)
        if name is not None and column is not None:
            fields.append(metric_field(name, column.type, None))
            columns.append(column)
    return Block(_with(messages, said), pa.table(columns, schema=pa.schema(fields)))


def _with(rows: pa.Table, said: dict[str, str]) -> pa.Table:
    for name, value in said.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value), rows.num_rows))
    return rows


def _chunks(file: pq.FileMetaData, groups: list[int]) -> Iterator[list[int]]:
    waiting: list[int] = []
    rows = 0
    for group in groups:
        waiting.append(group)
        rows += file.row_group(group).num_rows
        if rows >= CHUNK_ROWS:
            yield waiting
            waiting, rows = [], 0
    if waiting:
        yield waiting
