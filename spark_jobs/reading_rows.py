"""Rows of readings as messages and a column a metric: what a message's readings share stands once.

Silver has one row a reading. Most messages of a product say the same metrics, so most of what
such rows hold is the message's, again for each of its metrics.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa

WORD = pa.dictionary(pa.int32(), pa.string())
"""Text of which many rows have the same."""
UNIT = b"unit"
OK = "ok"
VALUES = {"value": pa.float64(), "value_text": pa.string(), "value_bool": pa.bool_()}
"""A reading's value is in the column of its type; its others are null."""
OF_READING = ("metric", *VALUES, "unit", "quality")
FEWEST = 1000
"""Fewer messages with the same metrics are written a row a reading."""


def repeated(word: str | None, count: int) -> pa.Array:
    """Return one word as often as asked."""
    if word is None:
        return pa.nulls(count, WORD)
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([word]))


class Metric(NamedTuple):
    """Values of one metric, a row a message, null where it has none; their quality is ok."""

    name: str
    unit: str | None
    values: pa.ChunkedArray

    @property
    def value_column(self) -> str:
        """The column of the table that the values are in."""
        return next(name for name, type_ in VALUES.items() if type_ == self.values.type)


class Block(NamedTuple):
    """Messages, and a column for each metric that they have, its unit in the field's metadata."""

    messages: pa.Table
    columns: pa.Table

    def metrics(self) -> list[Metric]:
        """Return the metrics."""
        fields = zip(self.columns.schema, self.columns.columns, strict=True)
        return [Metric(field.name, _unit(field), column) for field, column in fields]

    @property
    def num_rows(self) -> int:
        """How many readings there are."""
        return sum(len(column) - column.null_count for column in self.columns.columns)

    def only(self, kept: np.ndarray) -> Self:
        """Return some of the messages with their readings."""
        if kept.all():
            return self
        mask = pa.array(kept)
        return self._replace(messages=self.messages.filter(mask), columns=self.columns.filter(mask))

    def of(self, names: list[str]) -> Self:
        """Return it with some of its metrics."""
        return self._replace(columns=self.columns.select(names))

    def rows(self) -> Iterator[pa.Table]:
        """Yield the rows of each metric."""
        for metric in self.metrics():
            messages, values = self.messages, metric.values
            if values.null_count:
                is_there = values.is_valid()
                messages, values = messages.filter(is_there), values.drop_null()
            count = len(values)
            said = {name: pa.nulls(count, type_) for name, type_ in VALUES.items()}
            said |= {metric.value_column: values}
            words = {"metric": metric.name, "unit": metric.unit, "quality": OK}
            said |= {name: repeated(word, count) for name, word in words.items()}
            for name in OF_READING:
                messages = messages.append_column(name, said[name])
            yield messages


class ReadingRows(NamedTuple):
    """Rows of a table of readings: those of blocks, and others that stand for themselves."""

    blocks: tuple[Block, ...]
    rows: pa.Table

    @property
    def num_rows(self) -> int:
        """How many readings there are."""
        return int(self.rows.num_rows) + sum(block.num_rows for block in self.blocks)


def metric_field(name: str, type_: pa.DataType, unit: str | None) -> pa.Field:
    """Return the field of a metric's column."""
    return pa.field(name, type_, metadata={UNIT: unit.encode()} if unit is not None else None)


def _unit(field: pa.Field) -> str | None:
    said = (field.metadata or {}).get(UNIT)
    return None if said is None else said.decode()


def parted(block: Block) -> tuple[list[Block], Block | None]:
    """Return blocks without a null, one for each set of metrics that enough messages have.

    The block beside them has the messages whose metrics few others have.
    """
    names, columns = block.columns.column_names, block.columns.columns
    if not any(column.null_count for column in columns):
        return ([block], None) if block.messages.num_rows >= FEWEST else ([], block)
    present = np.stack([column.is_valid().to_numpy() for column in columns], axis=1)
    packed = np.packbits(present, axis=1)
    _, firsts, codes, counts = np.unique(
        packed, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    codes, is_many = codes.ravel(), counts >= FEWEST
    whole = [
        block.only(codes == code).of([name for name, has in zip(names, said, strict=True) if has])
        for code, said in enumerate(present[firsts])
        if is_many[code] and said.any()
    ]
    is_left = ~is_many[codes]
    return whole, block.only(is_left) if is_left.any() else None
