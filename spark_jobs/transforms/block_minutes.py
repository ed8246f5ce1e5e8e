"""Minute partials of a block: messages are put in order once, and each metric summed along it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from spark_jobs.reading_rows import Block, Metric
from spark_jobs.transforms.partials import STATISTICS
from spark_jobs.transforms.windows import MINUTE_KEY

_OF_MESSAGE = [name for name in MINUTE_KEY if name != "metric"]
_TIME = pl.Datetime("us", "UTC")


class _Order(NamedTuple):
    """Rows by window, event time and seq; where each window begins and ends among them."""

    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    @property
    def firsts(self) -> np.ndarray:
        found: np.ndarray = self.rows[self.starts]
        return found

    @property
    def lasts(self) -> np.ndarray:
        found: np.ndarray = self.rows[self.starts + self.counts - 1]
        return found


def block_minutes(messages: pl.DataFrame, block: Block) -> pl.DataFrame | None:
    """Return what `windows.minutes` does of the block's rows, its messages given as a frame.

    None where two messages of a window have one event time and seq: their values order them.
    """
    placed = messages.with_columns(
        pl.col("zone").fill_null(""), window_start=pl.col("event_time").dt.truncate("1m")
    ).with_row_index("row")
    groups = placed.group_by(_OF_MESSAGE).agg("row")
    at, seq = placed["event_time"].dt.timestamp("us").to_numpy(), placed["seq"].to_numpy()
    order = _order(groups["row"], at, seq)
    if order is None:
        return None
    shared = groups.drop("row").with_columns(
        count=pl.Series(order.counts, dtype=pl.Int64),
        first_at=_times(at[order.firsts]),
        first_seq=pl.Series(seq[order.firsts]),
        last_at=_times(at[order.lasts]),
        last_seq=pl.Series(seq[order.lasts]),
    )
    kinds: dict[str, list[Metric]] = {}
    for metric in block.metrics():
        kinds.setdefault(metric.value_column, []).append(metric)
    found = [_of_kind(shared, kind, metrics, order) for kind, metrics in kinds.items()]
    return pl.concat(found) if found else None


def _times(micros: np.ndarray) -> pl.Series:
    return pl.Series(micros, dtype=pl.Int64).cast(_TIME)


def _order(groups: pl.Series, at: np.ndarray, seq: np.ndarray) -> _Order | None:
    counts = groups.list.len().to_numpy().astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    window = np.empty(len(at), dtype=np.int64)
    window[groups.explode().to_numpy()] = np.repeat(np.arange(len(counts)), counts)
    rows = np.lexsort((seq, at, window))
    same = [column[rows][1:] == column[rows][:-1] for column in (window, at, seq)]
    return None if np.logical_and.reduce(same).any() else _Order(rows, starts, counts)


def _of_kind(shared: pl.DataFrame, kind: str, metrics: list[Metric], order: _Order) -> pl.DataFrame:
    """Return the partials of metrics whose values are in one column of the table."""
    each = [_statistics(kind, metric.values, order) for metric in metrics]
    said = {name: pl.concat([of_one[name] for of_one in each]) for name in each[0]}
    names = pl.Series([metric.name for metric in metrics])
    said["metric"] = names.gather(np.repeat(np.arange(len(metrics)), shared.height))
    nulls = [
        pl.lit(None, type_).alias(name)
        for name, type_ in STATISTICS.items()
        if name not in said and name not in shared.columns
    ]
    rows = pl.concat([shared] * len(metrics)).with_columns(*nulls, **said)
    return rows.select(*MINUTE_KEY, *STATISTICS)


def _statistics(kind: str, values: pa.ChunkedArray, order: _Order) -> Mapping[str, pl.Series]:
    if kind == "value":
        return _numbers(values.to_numpy()[order.rows], order)
    name = kind.removeprefix("value_")
    ends = {"first": order.firsts, "last": order.lasts}
    return {f"{end}_{name}": _taken(values, rows) for end, rows in ends.items()}


def _numbers(values: np.ndarray, order: _Order) -> Mapping[str, pl.Series]:
    """Return the statistics of values in order; those of a constant are exact."""
    starts, counts = order.starts, order.counts
    least = np.minimum.reduceat(values, starts)
    means = least + np.add.reduceat(values - np.repeat(least, counts), starts) / counts
    spread = (values - np.repeat(means, counts)) ** 2
    found = {
        "sum": np.add.reduceat(values, starts),
        "m2": np.add.reduceat(spread, starts),
        "min": least,
        "max": np.maximum.reduceat(values, starts),
        "mean": means,
        "first": values[starts],
        "last": values[starts + counts - 1],
    }
    return {name: pl.Series(column) for name, column in found.items()}


def _taken(values: pa.ChunkedArray, rows: np.ndarray) -> pl.Series:
    found = pl.from_arrow(values.take(pa.array(rows)))
    assert isinstance(found, pl.Series)
    return found
