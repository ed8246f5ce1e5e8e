"""Freshness seen from outside: commits of silver, and when gold's minutes turn final."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
import polars as pl
from deltalake import DeltaTable

LOOK_BACK_S = 900
SAMPLED, FEWEST = 1000, 5
"""A row of so many is looked at, and so many of each commit where they are fewer."""
Minute = tuple[str, datetime]
"""A product and the end of a minute."""


@dataclass(slots=True)
class Freshness:
    """Seconds from event to the commit of silver; from a minute's end and lateness to final."""

    event_to_silver_s: list[float] = field(default_factory=list)
    final_after_s: dict[Minute, float] = field(default_factory=dict)


class Watcher(threading.Thread):
    """Reads the log of silver and the newest minutes of gold, twice a second.

    `lateness_s` by product; a product without one has no end to wait for.
    """

    def __init__(self, lake: Path, lateness_s: Mapping[str, float]) -> None:
        super().__init__(daemon=True)
        self.seen = Freshness()
        self._lateness_s = lateness_s
        self._silver = lake / "silver" / "readings"
        self._minutes = lake / "gold" / "device_minute"
        self._version = DeltaTable(self._silver).version()
        self._done = threading.Event()
        self._already = self._final(time.time())

    def stop(self) -> Freshness:
        """End and return what was seen."""
        self._done.set()
        self.join()
        return self.seen

    def run(self) -> None:
        """Watch until stopped."""
        while not self._done.wait(0.5):
            self._read_commits()
            self._read_minutes()

    def _read_commits(self) -> None:
        while True:
            commit = self._silver / "_delta_log" / f"{self._version + 1:020}.json"
            if not commit.exists():
                return
            self._version += 1
            committed = commit.stat().st_mtime
            for line in commit.read_bytes().splitlines():
                self._sample(orjson.loads(line).get("add"), committed)

    def _sample(self, add: dict[str, object] | None, committed: float) -> None:
        if not add or not add["dataChange"]:
            return
        times = pl.read_parquet(self._silver / str(add["path"]), columns=["event_time"])
        # As many of each thousand, so that a batch counts by its rows.
        sampled = times["event_time"].gather_every(min(SAMPLED, max(1, len(times) // FEWEST)))
        self.seen.event_to_silver_s += [committed - at.timestamp() for at in sampled]

    def _read_minutes(self) -> None:
        now = time.time()
        for product, end in self._final(now) - self._already:
            waited = now - end.timestamp() - self._lateness_s[product]
            self.seen.final_after_s.setdefault((product, end), waited)

    def _final(self, now: float) -> set[Minute]:
        """Return the minutes of the last quarter of an hour that are final."""
        oldest = datetime.fromtimestamp(now - LOOK_BACK_S).astimezone()
        final = pl.scan_delta(DeltaTable(self._minutes)).filter(
            pl.col("is_final")
            & (pl.col("window_end") > oldest)
            & pl.col("product").is_in(list(self._lateness_s))
        )
        return set(final.select("product", "window_end").unique().collect().iter_rows())
