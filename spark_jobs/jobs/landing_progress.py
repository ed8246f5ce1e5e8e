"""How far landing is: rows since the start, newest times, a watermark a product."""

from collections import Counter
from datetime import timedelta

import polars as pl

from spark_jobs.jobs.landing_memory import LandingMemory
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.jobs.query import Figures
from telemetry.tables import MESSAGES, Table

_MICROSECOND = timedelta(microseconds=1)
_LEAST = -(2**63)


class LandingProgress:
    """Counted by the thread that lands, read by the one that reports."""

    def __init__(self, memory: LandingMemory, registry: LiveRegistry) -> None:
        self.rows: Counter[str] = Counter()
        self._memory = memory
        self._registry = registry
        self._event_time: int | None = None

    def committed(self, table: Table, rows: int) -> None:
        """Count rows that a commit added."""
        self.rows["bronze" if table == MESSAGES else table.name.split(".")[1]] += rows

    def landed(self, found: pl.DataFrame) -> None:
        """Take note of the times of a batch's messages."""
        newest = found.group_by("tenant", "product").agg(
            pl.col("received_at").max().dt.timestamp("us")
        )
        self._memory.note_received(
            {(tenant, product): at for tenant, product, at in newest.iter_rows()}
        )
        times = found["event_time"].cast(pl.Int64).to_numpy()[found["is_accepted"].to_numpy()]
        before = _LEAST if self._event_time is None else self._event_time
        if len(times):
            self._event_time = max(before, int(times.max()))

    def figures(self, lag_messages: int) -> Figures:
        """Return the figures of now."""
        return Figures(
            lag_messages=lag_messages,
            received_at=max(self._memory.received.copy().values(), default=None),
            event_time=self._event_time,
            watermarks=self._watermarks(),
            rows=dict(self.rows),
        )

    def _watermarks(self) -> dict[str, int]:
        """Return the highest `received_at` less the lateness; none where it is unbounded."""
        marks = {}
        for (tenant, key), at in self._memory.received.copy().items():
            lateness = self._registry.product(tenant, key).lateness if key else None
            if key and lateness is not None:
                name = key if tenant == "default" else f"{tenant}/{key}"
                marks[name] = at - lateness // _MICROSECOND
        return marks
