"""Headers of Kafka's records, as the library tells them, to Arrow's lists of pairs."""

from collections.abc import Sequence
from itertools import accumulate, chain

import numpy as np
import pyarrow as pa

Pairs = Sequence[tuple[str, bytes | None]]
"""One record's headers, in their order; a name may come twice."""


def header_lists(lists: Sequence[Pairs]) -> pa.ListArray:
    """Return the headers of records (a list each) as Spark's Kafka source has them."""
    lengths = [*map(len, lists)]
    names, values = _alike(lists, lengths) or _apart(lists)
    offsets = pa.array([*accumulate(lengths, initial=0)], pa.int32())
    pairs = pa.StructArray.from_arrays([names, values], ["key", "value"])
    return pa.ListArray.from_arrays(offsets, pairs)


def _alike(lists: Sequence[Pairs], lengths: list[int]) -> tuple[pa.Array, pa.Array] | None:
    """Return names and values of lists that name the same headers in one order, else None.

    So do nearly all: a name is then made into Arrow once, and each value by its column.
    """
    count, width = len(lists), lengths[0]
    if not width or lengths.count(width) < count:
        return None
    pairs = [*chain.from_iterable(lists)]
    names, values = [], []
    for place in range(width):
        of_place = pairs[place::width]
        said = [name for name, _ in of_place]
        if said.count(said[0]) < count:
            return None
        names.append(said[0])
        values.append(pa.array([value for _, value in of_place], pa.binary()))
    order = np.arange(count)[:, None] + np.arange(width) * count
    repeated = pa.array(names, pa.string()).take(pa.array(np.tile(np.arange(width), count)))
    return repeated, pa.concat_arrays(values).take(pa.array(order.ravel()))


def _apart(lists: Sequence[Pairs]) -> tuple[pa.Array, pa.Array]:
    pairs = [*chain.from_iterable(lists)]
    names, values = [name for name, _ in pairs], [value for _, value in pairs]
    return pa.array(names, pa.string()), pa.array(values, pa.binary())
