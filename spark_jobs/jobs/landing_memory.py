"""What landing remembers of the lake: keys, how far each partition has landed, newest times."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path

import polars as pl

from spark_jobs.dedup.index import KeyIndex
from spark_jobs.dedup.names import HASHED, PROBE, UNIQUE, Key
from spark_jobs.dedup.recent import Copies, marks_of
from spark_jobs.jobs.first_copies import KEY, FirstCopies
from spark_jobs.jobs.memory_file import MemoryFile, Saved
from spark_jobs.lake import Lake
from spark_jobs.pieces import Since, pieces, pieces_in_time
from telemetry.tables import LATE, MESSAGES, READINGS

BOOT = ("tenant", "device_full", "boot")
OVERLAP = timedelta(minutes=10)
"""Where the log does not go back to what was saved, files from before that moment are read again:
clocks step, commits take their time."""
MOST_PRODUCTS = 10_000
"""Products of all tenants whose newest message is remembered, for `status`."""
REMEMBERED = (MESSAGES, READINGS, LATE)
log = logging.getLogger(__name__)


class LandingMemory:
    """Belongs to the one process that lands."""

    def __init__(self, lake: Lake, path: Path, *, remembered: int, horizon_us: int | None) -> None:
        self._lake = lake
        self._file = MemoryFile(path)
        self._remembered, self._horizon_us = remembered, horizon_us
        self.landed: dict[tuple[str, int], int] = {}
        self.received: dict[tuple[str, str | None], int] = {}
        self.renew()

    def remember_for(self, horizon_us: int | None) -> None:
        """Remember keys for so long from now on, in microseconds; None for ever."""
        self._horizon_us = self.index.horizon_us = horizon_us

    def renew(self) -> None:
        """Forget all, and remember what silver holds now."""
        began = time.monotonic()
        self.index = KeyIndex(remembered=self._remembered, horizon_us=self._horizon_us)
        since = self._restore(self._file.load())
        self._load_keys(since)
        self._load_landed(since)
        self.copies = FirstCopies(self._lake, remembered=self._remembered)
        self.copies.know_newest(self._remembered)
        log.info("landing remembers silver after %.1f s", time.monotonic() - began)

    def _restore(self, saved: Saved | None) -> Since | None:
        if saved is None or saved.index.probe != PROBE:
            return None
        self.index.unpack(saved.index)
        self.note_landed({(topic, part): offset for topic, part, offset in saved.landed})
        self.note_received({(tenant, product): at for tenant, product, at in saved.received})
        return Since(saved.versions, datetime.fromtimestamp(saved.at, UTC) - OVERLAP)

    def _load_keys(self, since: Since | None) -> None:
        # Of hashed keys the last are remembered.
        for rows in pieces_in_time(self._lake, (READINGS, LATE), since):
            boots = rows.select(*KEY, "kafka_time")
            self._take_up(boots.filter(~pl.col("boot").str.starts_with(UNIQUE)))

    def _take_up(self, keys: pl.LazyFrame) -> None:
        hashed = pl.col("boot").str.starts_with(HASHED)
        at = pl.col("kafka_time").max()
        old = keys.filter(hashed).group_by(KEY).agg(at).sort("kafka_time").select(KEY).collect()
        for tenant, device_full, boot, seq in old.iter_rows():
            self.index.add((tenant, device_full, boot, seq))
        for tenant, device_full, boot, firsts, lasts in _ranges(keys.filter(~hashed)).iter_rows():
            self.index.merge((tenant, device_full, boot), zip(firsts, lasts, strict=True))
        self.index.keep_room(_now_us())

    def _load_landed(self, since: Since | None) -> None:
        for rows in pieces(self._lake, MESSAGES, since):
            newest = rows.group_by("topic", "partition", "tenant", "product").agg(
                pl.col("offset").max(), pl.col("received_at").max().dt.timestamp("us")
            )
            for topic, part, tenant, product, offset, at in newest.collect().iter_rows():
                self.note_landed({(topic, part): offset})
                self.note_received({(tenant, product): at})

    def note_landed(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Take note of the newest offsets in bronze."""
        for at, offset in offsets.items():
            self.landed[at] = max(offset, self.landed.get(at, -1))

    def note_received(self, received: Mapping[tuple[str, str | None], int]) -> None:
        """Take note of the newest `received_at` by tenant and product, in microseconds.

        Who sends may name any: where there are too many, those leave that were silent for longest.
        """
        for product, at in received.items():
            self.received[product] = max(at, self.received.get(product, at))
        if len(self.received) > MOST_PRODUCTS:
            newest = sorted(self.received.items(), key=itemgetter(1))[-MOST_PRODUCTS // 2 :]
            log.warning("%d products are forgotten", len(self.received) - len(newest))
            self.received = dict(newest)

    def remember(self, keys: Sequence[Key], copies: Copies) -> None:
        """Take up first copies that silver holds."""
        self.index.take_up(keys)
        self.copies.remember(marks_of(keys), copies)

    def save_if_due(self, now: float) -> None:
        """Save from time to time, between two batches, what has room."""
        if self._file.is_due:
            self.index.keep_room(_now_us())
            self.save(now)

    def save(self, now: float) -> None:
        """Save what silver holds as of now, in seconds since 1970."""
        landed = [(topic, part, offset) for (topic, part), offset in self.landed.items()]
        received = [(tenant, product, at) for (tenant, product), at in self.received.items()]
        versions = {table.name: self._lake.table(table).version() for table in REMEMBERED}
        self._file.save(Saved(now, self.index.packed(), landed, received, versions))


def _now_us() -> int:
    # The time of day may be set: boots would be forgotten, or none for years.
    return time.monotonic_ns() // 1000


def _ranges(keys: pl.LazyFrame) -> pl.DataFrame:
    """Return for each boot the (first, last) of its runs of numbers, as two lists."""
    ordered = keys.select(KEY).unique().sort(KEY)
    starts = (pl.col("seq").diff().over(BOOT) != 1).fill_null(value=True)
    runs = ordered.with_columns(run=starts.cum_sum().over(BOOT))
    ends = runs.group_by(*BOOT, "run").agg(first=pl.col("seq").min(), last=pl.col("seq").max())
    lists = ends.sort(*BOOT, "first").group_by(BOOT, maintain_order=True)
    return lists.agg("first", "last").collect()
