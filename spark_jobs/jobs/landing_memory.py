"""What landing remembers of the lake: keys, first copies, and how far each partition has landed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from spark_jobs.dedup.index import HASHED, UNIQUE, Key, KeyIndex
from spark_jobs.dedup.recent import Copies, Copy, RecentCopies
from spark_jobs.lake import Lake
from spark_jobs.transforms.judged import digest
from telemetry.message import decode
from telemetry.tables import LATE, MESSAGES, READINGS

KEY = ("tenant", "device_full", "boot", "seq")
STREAM = ("tenant", "device_full", "boot")
COORDINATES = ("topic", "partition", "offset", "item")
Partition = tuple[str, int]


class LandingMemory:
    """Keys of silver and where the newest first copies are; built anew at every start."""

    def __init__(self, lake: Lake, *, remembered: int, horizon_us: int | None) -> None:
        self._lake = lake
        self.index = KeyIndex(remembered=remembered, horizon_us=horizon_us)
        self.recent = RecentCopies(remembered)
        self.landed: dict[Partition, int] = {}
        self._load_keys()
        self._load_recent(remembered)
        self._load_landed()

    def _silver(self, *columns: str) -> pl.LazyFrame:
        both = [self._lake.scan(table).select(*columns) for table in (READINGS, LATE)]
        return pl.concat(both).filter(~pl.col("boot").str.starts_with(UNIQUE))

    def _load_keys(self) -> None:
        hashed = pl.col("boot").str.starts_with(HASHED)
        keys = self._silver(*KEY, "received_at")
        old = keys.filter(hashed).group_by(KEY).agg(pl.col("received_at").max()).sort("received_at")
        for *key, received_at in old.collect(engine="streaming").iter_rows():
            self.index.add(_key(key), int(received_at.timestamp() * 1e6))
        for *stream, firsts, lasts in _ranges(keys.filter(~hashed)).iter_rows():
            tenant, device_full, boot = stream
            self.index.load((tenant, device_full, boot), zip(firsts, lasts, strict=True))

    def _load_recent(self, remembered: int) -> None:
        copies = self._silver(*KEY, *COORDINATES, "kafka_time").unique(COORDINATES)
        newest = copies.top_k(remembered, by="kafka_time").sort("kafka_time", *COORDINATES)
        frame = newest.select(*KEY, *COORDINATES).collect(engine="streaming")
        numbers = {name: frame[name].to_numpy() for name in COORDINATES[1:]}
        self.recent.add(
            frame.select(KEY).rows(), Copies(frame["topic"].to_list(), **numbers, digest=None)
        )

    def _load_landed(self) -> None:
        offsets = self._lake.scan(MESSAGES).group_by("topic", "partition")
        newest = offsets.agg(pl.col("offset").max()).collect(engine="streaming")
        self.landed = {(topic, part): offset for topic, part, offset in newest.iter_rows()}

    def remember(self, keys: Sequence[Key], copies: Copies, *, received_at: int) -> None:
        """Take up the first copies of what is committed."""
        for key in keys:
            self.index.add(key, received_at)
        self.recent.add(keys, copies)

    def find(self, keys: Collection[Key]) -> Mapping[Key, Copy]:
        """Look first copies up with their digests: in memory, else in silver and bronze."""
        copies = self.recent.find(keys)
        missing = [key for key in keys if key not in copies]
        if missing:
            copies |= self._find_in_silver(missing)
        return copies | self._digested(
            {key: copy for key, copy in copies.items() if copy.digest is None}
        )

    def _find_in_silver(self, keys: Collection[Key]) -> dict[Key, Copy]:
        wanted = pl.LazyFrame(list(keys), dict(zip(KEY, _KEY_TYPES, strict=True)), orient="row")
        devices = sorted({key[1] for key in keys})
        near = pl.col("device_full").is_in(devices) & pl.col("seq").is_between(
            min(key[3] for key in keys), max(key[3] for key in keys)
        )
        rows = self._silver(*KEY, *COORDINATES).filter(near).join(wanted, on=KEY, how="semi")
        # A replay may have left more than one copy, until the proof removes them.
        ordered = rows.unique().sort(COORDINATES, descending=True).collect(engine="streaming")
        return {_key(row[:4]): _copy(row[4:]) for row in ordered.iter_rows()}

    def _digested(self, copies: Mapping[Key, Copy]) -> dict[Key, Copy]:
        if not copies:
            return {}
        places = [(copy.topic, copy.partition, copy.offset) for copy in copies.values()]
        values = self._values(places)
        return {
            key: copy._replace(digest=_digest_of(values.get(place), copy.item))
            for (key, copy), place in zip(copies.items(), places, strict=True)
        }

    def _values(self, places: list[tuple[str, int, int]]) -> dict[tuple[str, int, int], bytes]:
        columns = {"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64}
        wanted = pl.LazyFrame(places, columns, orient="row").unique()
        offsets = [offset for _, _, offset in places]
        near = pl.col("offset").is_between(min(offsets), max(offsets))
        rows = self._lake.scan(MESSAGES).select(*columns, "value").filter(near)
        found = rows.join(wanted, on=list(columns), how="semi").collect(engine="streaming")
        return {(topic, part, offset): value for topic, part, offset, value in found.iter_rows()}


_KEY_TYPES = (pl.String, pl.String, pl.String, pl.Int64)


def _key(row: Sequence[Any]) -> Key:
    tenant, device_full, boot, seq = row
    return tenant, device_full, boot, seq


def _copy(row: Sequence[Any]) -> Copy:
    topic, partition, offset, item = row
    return Copy(topic, partition, offset, item, None)


def _digest_of(value: bytes | None, item: int) -> int | None:
    messages = decode(value)
    return digest(messages[item].raw) if item < len(messages) else None


def _ranges(keys: pl.LazyFrame) -> pl.DataFrame:
    """Return for each boot the (first, last) of its runs of numbers, as two lists."""
    ordered = keys.select(KEY).unique().sort(KEY)
    starts = (pl.col("seq").diff().over(STREAM) != 1).fill_null(value=True)
    runs = ordered.with_columns(run=starts.cum_sum().over(STREAM))
    ends = runs.group_by(*STREAM, "run").agg(first=pl.col("seq").min(), last=pl.col("seq").max())
    lists = ends.sort(*STREAM, "first").group_by(STREAM, maintain_order=True)
    return lists.agg("first", "last").collect(engine="streaming")
