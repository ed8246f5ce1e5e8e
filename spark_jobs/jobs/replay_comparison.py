"""Compares rows that a replay made with those that the lake holds; the differences go to a file."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import BinaryIO

import orjson
import polars as pl

from spark_jobs.transforms.differences import Difference, days, different, partitions, told
from telemetry.tables import Table

MOST_ROWS = 1_000_000
SHOWN = 20
OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows of one table, as they are and as they should be."""

    table: Table
    before: pl.LazyFrame
    after: pl.LazyFrame
    leave_out: tuple[str, ...] = ()

    def within(self, kept: Callable[[pl.LazyFrame], pl.LazyFrame]) -> "Sides":
        """Return both with the rows that are kept."""
        return replace(self, before=kept(self.before), after=kept(self.after))

    def slices(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield both in slices of bearable size, each key whole in one of them."""
        sides = self.before, self.after
        rows = sum(side.select(pl.len()).collect().item() for side in sides)
        count = -(-rows // MOST_ROWS)
        part = pl.struct(self.table.key).hash(seed=0) % max(count, 1)
        for number in range(count):
            before, after = (side.filter(part == number).collect() for side in sides)
            yield before, after


@dataclass
class Comparison:
    """Differences so far: the first ones to be shown, all of them in a file."""

    out: BinaryIO
    rows: Counter[str] = field(default_factory=Counter)
    first: list[Difference] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    days: set[date] = field(default_factory=set)

    def compare(self, sides: Sides) -> pl.DataFrame:
        """Compare one table and return the partitions in which it differs."""
        table = sides.table
        touched = []
        for before, after in sides.slices():
            self.compared[table.name] += len(after)
            found = different(table, before, after, leave_out=sides.leave_out)
            touched.append(partitions(table, found))
            self.days |= days(table, found)
            self._tell(table, found)
        return pl.concat(touched).unique() if touched else pl.DataFrame()

    def _tell(self, table: Table, found: pl.DataFrame) -> None:
        self.rows[table.name] += len(found)
        for one in told(table, found):
            self.out.write(orjson.dumps(one, default=str, option=OPTIONS))
            if len(self.first) < SHOWN:
                self.first.append(one)


@contextmanager
def comparison(file: Path) -> Iterator[Comparison]:
    """Begin a comparison whose differences go to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        yield Comparison(out)
