"""Where to cut records of bronze into spans of Kafka's time, to be judged one after another."""

from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest

import numpy as np
import polars as pl

_PARTITION = ["topic", "partition"]


def spans(records: pl.LazyFrame, most: int) -> Iterator[tuple[datetime, datetime | None]]:
    """Yield where spans begin and end that hold about `most` messages; the last has no end.

    A KiB of them counts as one more, so that large ones are fewer.
    Records may be lists. No span begins between two records of a partition that the broker's
    clock, set back, has in the other order: the first copy of a key is the one that came first.
    """
    offset, size = pl.col("offset"), pl.col("value").bin.size("kb").fill_null(0.0)
    seconds = records.group_by(*_PARTITION, at=pl.col("kafka_time").dt.truncate("1s"))
    found = seconds.agg(
        first=offset.min(), last=offset.max(), weight=pl.col("items").sum() + size.sum()
    ).collect(engine="streaming")
    by_second = found.group_by("at").agg(pl.col("weight").sum()).sort("at")
    is_torn = _torn(found, by_second["at"])
    begun, held = list[datetime](), float(most)
    for (at, weight), torn in zip(by_second.iter_rows(), is_torn, strict=True):
        if held >= most and not torn:
            begun.append(at)
            held = 0.0
        held += weight
    yield from zip_longest(begun, begun[1:])


def _torn(found: pl.DataFrame, seconds: pl.Series) -> np.ndarray:
    """Tell which seconds have a record before them that came behind one of theirs or later."""
    in_time = found.sort("at").with_columns(
        before=pl.col("last").cum_max().shift(1).over(_PARTITION),
        behind=pl.col("first").cum_min(reverse=True).over(_PARTITION),
        since=pl.col("at").shift(1).over(_PARTITION),
    )
    torn = in_time.filter(pl.col("before") > pl.col("behind"))
    times = seconds.to_physical().to_numpy()
    sides = (torn[name].to_physical().to_numpy() for name in ("since", "at"))
    ends = (np.searchsorted(times, side, "right") for side in sides)
    depth = np.zeros(len(times) + 1, dtype=np.int64)
    for step, places in zip((1, -1), ends, strict=True):
        np.add.at(depth, places, step)
    return depth[:-1].cumsum() > 0
