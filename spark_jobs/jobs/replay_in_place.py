"""Puts what a replay made in place of what silver holds, where the two differ."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from spark_jobs.jobs.partitions import condition
from spark_jobs.lake import Lake
from spark_jobs.transforms.routes import SILVER
from spark_jobs.transforms.spans import Span
from telemetry.tables import FIRST_USE, REJECTED, Table

Newest = Mapping[tuple[str, int], int]
"""(topic, partition) → the newest offset that was judged"""
_ITEM = list(REJECTED.key)


@dataclass(frozen=True, slots=True)
class InPlace:
    """The range's rows, made anew; what landed after it was judged stays as it is.

    Each table is replaced in one commit, so doing it again after a kill gives the same rows.
    """

    main: Lake
    beside: Lake
    received: Span
    newest: Newest

    def put(self, differing: Mapping[str, pl.DataFrame], now: datetime) -> Counter[str]:
        """Replace the range's rows in partitions that differ; return the rows put by table."""
        put: Counter[str] = Counter()
        self._add_first_uses()
        for table in SILVER:
            partitions = differing.get(table.name, pl.DataFrame())
            if partitions.is_empty():
                continue
            rows = self.beside.scan(table).join(
                partitions.lazy(), on=list(table.partition_by), how="semi"
            )
            made = rows.collect()
            if table == REJECTED:
                made = pl.concat([made, self._replayed(made, partitions, now)])
            self.main.replace(table, made, self._named(table, partitions), None)
            put[table.name] = len(made)
        return put

    def _named(self, table: Table, partitions: pl.DataFrame) -> str:
        judged = " or ".join(
            f"(topic = '{topic}' and partition = {partition} and offset <= {offset})"
            for (topic, partition), offset in self.newest.items()
        )
        return (
            f"({condition(table, partitions)})"
            f" and received_at >= '{self.received.start.isoformat()}'"
            f" and received_at < '{self.received.end.isoformat()}' and ({judged or 'false'})"
        )

    def _replayed(
        self, made: pl.DataFrame, partitions: pl.DataFrame, now: datetime
    ) -> pl.DataFrame:
        """Return what was rejected and is not any more: it stays, and says when it was replayed."""
        held = self.main.scan(REJECTED).join(
            partitions.lazy(), on=list(REJECTED.partition_by), how="semi"
        )
        inside = held.filter(self.received.holds("received_at"), self._is_judged())
        gone = inside.join(made.lazy(), on=_ITEM, how="anti").collect()
        stamp = pl.lit(now).cast(gone.schema["replayed_at"])
        return gone.with_columns(pl.col("replayed_at").fill_null(stamp))

    def _is_judged(self) -> pl.Expr:
        return pl.any_horizontal(
            pl.lit(value=False),
            *(
                (pl.col("topic") == topic)
                & (pl.col("partition") == partition)
                & (pl.col("offset") <= offset)
                for (topic, partition), offset in self.newest.items()
            ),
        )

    def _add_first_uses(self) -> None:
        made = self.beside.scan(FIRST_USE)
        new = made.join(self.main.scan(FIRST_USE), on=list(FIRST_USE.key), how="anti").collect()
        if new.height:
            self.main.append(FIRST_USE, new, None)
