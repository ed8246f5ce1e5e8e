"""Some rows of a column or table: where most are wanted, they are copied a run at a time."""

from itertools import pairwise

import numpy as np
import pyarrow as pa

from spark_jobs.transforms.words import Places

LEAST_RUN = 16
"""Rows of a run on average from which on runs cost less than rows."""
_Run = tuple[int, int]
"""The first of some rows that follow one another, and how many they are."""


def some_of(table: pa.Table, rows: Places) -> pa.Table:
    """Return rows of a table in the order asked for, at a cost that follows these rows.

    What is one run of its chunk is not copied. A take of all chunks would copy the whole of each
    column first.
    """
    if not len(rows):
        return table.slice(0, 0)
    is_in_order = bool((rows[1:] >= rows[:-1]).all())
    if is_in_order and (rows[1:] - rows[:-1] == 1).all():
        return table.slice(int(rows[0]), len(rows))
    order = None if is_in_order else np.argsort(rows, kind="stable")
    wanted = rows if order is None else rows[order]
    batches = table.to_batches()
    ends = np.cumsum([batch.num_rows for batch in batches])
    cuts = [0, *np.searchsorted(wanted, ends).tolist()]
    parts = [
        _some_of_batch(batch, wanted[first:until] - (end - batch.num_rows))
        for batch, end, (first, until) in zip(batches, ends.tolist(), pairwise(cuts), strict=True)
        if first < until
    ]
    found = pa.Table.from_batches(parts, table.schema)
    if order is None:
        return found
    return found.combine_chunks().take(pa.array(np.argsort(order)))


def _some_of_batch(batch: pa.RecordBatch, rows: Places) -> pa.RecordBatch:
    runs = _runs(rows)
    if runs is None:
        return batch.take(pa.array(rows))
    columns = [_joined(column, runs) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def some(column: pa.Array, rows: Places) -> pa.Array:
    """Return rows of a column in the order asked for; of one run, without a copy.

    Bytes and lists are copied value by value otherwise, which costs several times as much.
    """
    if not len(rows):
        return column.slice(0, 0)
    runs = _runs(rows)
    return column.take(pa.array(rows)) if runs is None else _joined(column, runs)


def _runs(rows: Places) -> list[_Run] | None:
    """Return the runs of rows, None where they are too short to be worth it."""
    breaks = np.flatnonzero(rows[1:] - rows[:-1] != 1) + 1
    if (len(breaks) + 1) * LEAST_RUN > len(rows):
        return None
    starts, ends = [0, *breaks.tolist()], [*breaks.tolist(), len(rows)]
    firsts = rows[starts].tolist()
    return [(first, end - at) for first, at, end in zip(firsts, starts, ends, strict=True)]


def _joined(column: pa.Array, runs: list[_Run]) -> pa.Array:
    slices = [column.slice(*run) for run in runs]
    return slices[0] if len(slices) == 1 else pa.concat_arrays(slices)
