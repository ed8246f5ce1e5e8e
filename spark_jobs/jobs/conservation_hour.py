"""The balance of one hour of Kafka time, a bounded number of messages at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from spark_jobs.jobs.landed_tables import SILVER, LandedTables
from spark_jobs.jobs.landed_until import Partition
from spark_jobs.transforms.conservation import Balance, balance, ends_told, together, told

MOST_MESSAGES = 2_000_000
_NAMES = {table: table.name.partition(".")[2] for table in SILVER}
_PARTITION = ["topic", "partition"]


@dataclass(frozen=True, slots=True)
class BalancedHour:
    """Balances by partition, with the offsets that the hour has in bronze."""

    hour: datetime
    balances: dict[Partition, Balance]
    ends: dict[Partition, tuple[int, int]]
    is_closed: bool
    """Whether landing has passed it."""

    @property
    def items(self) -> int:
        """Messages in bronze."""
        return sum(found.items for found in self.balances.values())

    @property
    def difference(self) -> int:
        """Messages too many or too few in silver, over all partitions."""
        return sum(abs(found.difference) for found in self.balances.values())

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield the rows of ops.conservation."""
        for (topic, partition), found in self.balances.items():
            first, last = self.ends.get((topic, partition), (None, None))
            yield {
                "topic": topic,
                "partition": partition,
                "hour": self.hour,
                "items": found.items,
                **{name: found.counts.get(name, 0) for name in _NAMES.values()},
                "difference": found.difference,
                "holds": found.holds,
                "first_offset": first,
                "last_offset": last,
                "wrong": told(found),
                "hour_date": self.hour.date(),
            }

    def wrong(self) -> Iterator[str]:
        """Yield a sentence for each partition in which a message is not in its one place."""
        for (topic, partition), found in self.balances.items():
            if not found.holds:
                first, last = self.ends.get((topic, partition), (None, None))
                yield (
                    f"{topic}/{partition} of {self.hour:%Y-%m-%d %H:%M}, {ends_told(first, last)}:"
                    f" {found.difference:+d} messages, {told(found)}"
                )


def balanced(
    tables: LandedTables, hour: datetime, ends: pl.DataFrame, *, is_closed: bool, rows: int
) -> BalancedHour:
    """Hold the hour's messages against bronze; of an open hour, none behind bronze's newest."""
    parts: dict[Partition, list[Balance]] = {}
    for chosen in _parts(ends, rows):
        records, held = _read(tables, hour, chosen)
        if not is_closed:
            known = held.join(ends, on=_PARTITION, how="inner")
            held = known.filter(pl.col("offset") <= pl.col("last")).select(held.columns)
        for place in {*records.select(_PARTITION).rows(), *held.select(_PARTITION).rows()}:
            topic, partition = place
            found = balance(
                *(frame.filter(topic=topic, partition=partition) for frame in (records, held))
            )
            parts.setdefault(place, []).append(found)
    offsets = {(topic, part): (first, last) for topic, part, _, first, last in ends.rows()}
    sums = {at: together(parts[at]) for at in sorted(parts)}
    return BalancedHour(hour, sums, offsets, is_closed)


def _read(
    tables: LandedTables, hour: datetime, chosen: pl.Expr
) -> tuple[pl.DataFrame, pl.DataFrame]:
    records = tables.records(hour).filter(chosen).collect(engine="streaming")
    held = [
        tables.messages(table, hour).filter(chosen).with_columns(table=pl.lit(_NAMES[table]))
        for table in SILVER
    ]
    return records, pl.concat(frame.collect(engine="streaming") for frame in held)


def _parts(ends: pl.DataFrame, most: int) -> Iterator[pl.Expr]:
    """Yield filters that share the hour out: all of it, or ranges of offsets of each partition."""
    if ends["items"].sum() <= most:
        yield pl.lit(value=True)
        return
    for topic, partition, items, first, last in ends.rows():
        mine = (pl.col("topic") == topic) & (pl.col("partition") == partition)
        step = max(1, (last - first + 1) * most // items)
        starts = range(first, last + 1, step)
        for start in starts:
            # The outermost ranges have no end, so that no offset of silver is passed over.
            above = pl.col("offset") >= start if start > first else pl.lit(value=True)
            below = pl.col("offset") < start + step if start < starts[-1] else pl.lit(value=True)
            yield mine & above & below
    known = [
        (pl.col("topic") == topic) & (pl.col("partition") == partition)
        for topic, partition, *_ in ends.rows()
    ]
    yield ~pl.any_horizontal(known)
