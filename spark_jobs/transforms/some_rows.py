"""Some rows of a column: where most are wanted, they are copied a run at a time."""

import numpy as np
import pyarrow as pa

from spark_jobs.transforms.words import Places

LEAST_RUN = 16
"""Rows of a run on average from which on runs cost less than rows."""


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
