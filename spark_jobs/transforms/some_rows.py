"""Some rows of a column: where most are wanted, they are copied a run at a time."""

import numpy as np
import pyarrow as pa

from spark_jobs.transforms.words import Places

LEAST_RUN = 16
"""Rows of a run on average from which on runs cost less than rows."""


def some_of(table: pa.Table, rows: Places) -> pa.Table:
    """Return rows of a table in the order asked for, at a cost that follows these rows.

    A take of all its chunks would copy the whole of each column first.
    """
    batches = table.to_batches()
    ends = np.cumsum([batch.num_rows for batch in batches])
    of = np.searchsorted(ends, rows, side="right")
    order = np.argsort(of, kind="stable")
    parts = [
        batches[at].take(pa.array(rows[of == at] - ends[at] + batches[at].num_rows))
        for at in np.unique(of).tolist()
    ]
    found = pa.Table.from_batches(parts, table.schema)
    if (order[1:] > order[:-1]).all():
        return found
    return found.combine_chunks().take(pa.array(np.argsort(order)))


def some(column: pa.Array, rows: Places) -> pa.Array:
    """Return rows of a column in the order asked for; of one run, without a copy.

    Bytes and lists are copied value by value otherwise, which costs several times as much.
    """
    if not len(rows):
        return column.slice(0, 0)
    breaks = np.flatnonzero(rows[1:] - rows[:-1] != 1) + 1
    if (len(breaks) + 1) * LEAST_RUN > len(rows):
        return column.take(pa.array(rows))
    starts, ends = [0, *breaks.tolist()], [*breaks.tolist(), len(rows)]
    spans = zip(rows[starts].tolist(), starts, ends, strict=True)
    runs = [column.slice(first, end - start) for first, start, end in spans]
    return runs[0] if len(runs) == 1 else pa.concat_arrays(runs)
