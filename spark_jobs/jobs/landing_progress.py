"""How far landing is: rows since the start, newest times, a watermark a product."""

from collections import Counter
from datetime import timedelta

import polars as pl

from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.jobs.query import Figures
from spark_jobs.lake import Lake
from telemetry.tables import MESSAGES, Table

_MICROSECOND = timedelta(microseconds=1)


class LandingProgress:
    """Counted by the thread that lands, read by the one that reports."""

    def __init__(self, lake: Lake, registry: LiveRegistry) -> None:
        self.rows: Counter[str] = Counter()
        self._registry = registry
        self._newest: dict[tuple[str, str], int] = {}
        self._received_at: int | None = None
        self._event_time: int | None = None
        self._note(lake.scan(MESSAGES).select("tenant", "product", "received_at"))

    def committed(self, table: Table, rows: int) -> None:
        """Count rows that a commit added."""
        self.rows["bronze" if table == MESSAGES else table.name.split(".")[1]] += rows

    def landed(self, found: pl.DataFrame) -> None:
        """Take note of a batch's times."""
        self._note(found.lazy().select("tenant", "product", "received_at"))
        accepted = found.filter(pl.col("reasons").list.len() == 0)
        self._event_time = _later(self._event_time, newest_us(accepted, "event_time"))

    def _note(self, received: pl.LazyFrame) -> None:
        newest = received.group_by("tenant", "product").agg(
            pl.col("received_at").max().dt.timestamp("us")
        )
        for tenant, product, at in newest.collect(engine="streaming").iter_rows():
            self._received_at = _later(self._received_at, at)
            if product is not None:
                key = (tenant, product)
                self._newest = {**self._newest, key: max(at, self._newest.get(key, at))}

    def figures(self, lag_messages: int) -> Figures:
        """Return the figures of now."""
        return Figures(
            lag_messages=lag_messages,
            received_at=self._received_at,
            event_time=self._event_time,
            watermarks=self._watermarks(),
            rows=dict(self.rows),
        )

    def _watermarks(self) -> dict[str, int]:
        """Return the highest `received_at` less the lateness; none where it is unbounded."""
        marks = {}
        for (tenant, key), at in self._newest.items():
            lateness = self._registry.product(tenant, key).lateness
            if lateness is not None:
                name = key if tenant == "default" else f"{tenant}/{key}"
                marks[name] = at - lateness // _MICROSECOND
        return marks


def newest_us(frame: pl.DataFrame, column: str) -> int | None:
    """Return the newest time in a column, in microseconds since 1970."""
    newest = frame[column].dt.timestamp("us").max()
    return newest if isinstance(newest, int) else None


def _later(before: int | None, now: int | None) -> int | None:
    return max((at for at in (before, now) if at is not None), default=None)
