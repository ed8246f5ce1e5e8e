"""Rows of readings, those of a message one after the other, as messages and a column a metric.

What a message's readings share stands in each of them once they are rows. Where they are rewritten
it need not stay so: as blocks they take the bytes of a wide table.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.reading_rows import (
    FEWEST,
    OF_READING,
    OK,
    VALUES,
    Block,
    ReadingRows,
    metric_field,
)

MESSAGE = ("topic", "partition", "offset", "item")
_SERIES = {"device_full": pa.string(), "metric": pa.string(), "event_time_us": pa.int64()}
_MIX = np.uint64(0x9E3779B97F4A7C15)
Places = np.ndarray


class _Readings(NamedTuple):
    """Rows that may go into a block: where they are, the message and the kind of each."""

    rows: Places
    message: Places
    kind: Places


def as_words(rows: pa.RecordBatch | pa.Table) -> pa.Table:
    """Return rows with texts that repeat as words: what rows share takes little memory so."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
    for at, field in enumerate(rows.schema):
        if pa.types.is_string(field.type) and field.name != "value_text":
            words = table.column(at).dictionary_encode()
            table = table.set_column(at, pa.field(field.name, words.type), words)
    return table


def regrouped(rows: pa.Table, fewest: int = FEWEST) -> ReadingRows:
    """Return the same readings: blocks of messages that say the same metrics, and other rows.

    Args:
        rows: All columns of a table of readings, as `as_words` makes them; a message's rows follow
            one another, in the same order of metrics for messages with the same ones.
        fewest: Messages that a block has at least.
    """
    whole = rows.unify_dictionaries().combine_chunks()
    codes = _codes(whole)
    kinds = codes.select("metric", "unit", _value_column().alias("column"))
    is_ok = pc.equal(whole["quality"].cast(pa.string()), OK).fill_null(False)
    found = _plain(codes, kinds, pl.Series(is_ok))
    is_left = np.ones(whole.num_rows, dtype=bool)
    blocks = []
    for places in _alike(found, fewest):
        said = kinds[places[0]]
        if said["metric"].is_unique().all():
            blocks.append(_block(whole, places, said["column"]))
            is_left[places.ravel()] = False
    return ReadingRows(tuple(blocks), _in_order(whole.filter(pa.array(is_left))))


def _codes(rows: pa.Table) -> pl.DataFrame:
    """Return rows with numbers for words, and texts for maps, which cannot be compared."""
    columns = {}
    for name in rows.column_names:
        (column,) = rows[name].chunks or [pa.array([], rows[name].type)]
        if pa.types.is_dictionary(column.type):
            column = column.indices
        found = pl.Series(name, column)
        columns[name] = _map_as_text(found) if isinstance(found.dtype, pl.Map) else found
    return pl.DataFrame(columns)


def _in_order(rows: pa.Table) -> pa.Table:
    series = {name: pl.Series(rows[name].cast(type_)) for name, type_ in _SERIES.items()}
    order = pl.DataFrame(series).select(pl.arg_sort_by([*_SERIES])).to_series()
    return rows.take(order.to_arrow())


def _value_column() -> pl.Expr:
    """Return the expression of the column that has a reading's value; null unless one has it."""
    is_there = [pl.col(name).is_not_null() for name in VALUES]
    named = pl.coalesce(
        pl.when(has).then(pl.lit(name)) for name, has in zip(VALUES, is_there, strict=True)
    )
    return pl.when(pl.sum_horizontal(is_there) == 1).then(named)


def _plain(frame: pl.DataFrame, kinds: pl.DataFrame, is_ok: pl.Series) -> _Readings:
    """Return readings that are ok, of messages whose rows agree on all but their readings."""
    begins = differs(frame, MESSAGE)
    message = np.cumsum(begins) - 1
    shared = [name for name in frame.columns if name not in (*OF_READING, *MESSAGE)]
    is_odd = np.zeros(int(begins.sum()), dtype=bool)
    is_odd[message[differs(frame, shared) & ~begins]] = True
    is_kept = (is_ok & kinds["column"].is_not_null()).to_numpy() & ~is_odd[message]
    kept = np.flatnonzero(is_kept)
    kind = kinds.select(pl.struct(pl.all()).rank("dense")).to_series()
    return _Readings(kept, message[kept], kind.to_numpy()[kept])


def _map_as_text(maps: pl.Series) -> pl.Series:
    pairs = maps.to_arrow().cast(pa.list_(pa.struct([("k", pa.string()), ("v", pa.string())])))
    field = pl.element().struct.field
    told = pl.concat_str(field("k"), pl.lit("\0"), field("v").fill_null("\1"))
    found = pl.select(pl.Series(maps.name, pairs).list.eval(told).list.join("\0"))
    return found.to_series().alias(maps.name)


def differs(frame: pl.DataFrame, names: Sequence[str]) -> Places:
    """Tell which rows differ from the row before in any of some columns; the first one does."""
    if frame.is_empty():
        return np.zeros(0, dtype=bool)
    other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in names)
    found = frame.select(other.alias("differs"))["differs"].to_numpy().copy()
    found[0] = True
    return found


def _alike(found: _Readings, fewest: int) -> Iterator[Places]:
    """Yield rows of messages with the same metrics, a row of places a message."""
    if not len(found.rows):
        return
    starts = np.flatnonzero(np.concatenate(([True], found.message[1:] != found.message[:-1])))
    counts = np.diff(np.append(starts, len(found.rows)))
    nth = np.arange(len(found.rows)) - np.repeat(starts, counts)
    mixed = (found.kind.astype(np.uint64) + np.uint64(1)) * (nth.astype(np.uint64) + _MIX)
    mixed ^= (mixed * _MIX) >> np.uint64(29)
    said = np.stack([counts.astype(np.uint64), np.add.reduceat(mixed * _MIX, starts)], axis=1)
    _, codes, many = np.unique(said, axis=0, return_inverse=True, return_counts=True)
    for code in np.flatnonzero(many >= fewest):
        first = starts[codes.ravel() == code]
        at = first[:, None] + np.arange(counts[starts.searchsorted(first[0])])
        kinds = found.kind[at]
        # What is mixed alike is the same almost for sure; that it is so is seen here.
        kept = at[(kinds == kinds[0]).all(axis=1)]
        if len(kept) >= fewest:
            yield found.rows[kept]


def _block(words: pa.Table, places: Places, value_columns: pl.Series) -> Block:
    first = words.select(["metric", "unit"]).take(pa.array(places[0])).to_pylist()
    columns = {}
    for nth, (said, name) in enumerate(zip(first, value_columns, strict=True)):
        field = metric_field(said["metric"], VALUES[name], said["unit"])
        columns[field] = words[name].take(pa.array(places[:, nth]))
    shared = [name for name in words.column_names if name not in OF_READING]
    table = pa.table([*columns.values()], schema=pa.schema([*columns]))
    return Block(words.select(shared).take(pa.array(places[:, 0])), table)
