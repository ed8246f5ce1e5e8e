"""Where first copies are: the newest in memory, older ones in silver, their bytes in bronze."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from spark_jobs.dedup.index import Key
from spark_jobs.dedup.recent import Copies, Copy, RecentCopies
from spark_jobs.lake import Lake
from spark_jobs.transforms.judged import digest
from telemetry.message import decode
from telemetry.tables import LATE, MESSAGES, READINGS

KEY = ("tenant", "device_full", "boot", "seq")
COORDINATES = ("topic", "partition", "offset", "item")
ROWS_AT_START = 300_000
_KEY_TYPES = (pl.String, pl.String, pl.String, pl.Int64)


class FirstCopies:
    """Remembers and finds first copies: of all of silver, or of the rows that `among` selects."""

    def __init__(self, lake: Lake, *, remembered: int, among: pl.Expr | None = None) -> None:
        self._lake = lake
        self._among = pl.lit(value=True) if among is None else among
        self._recent = RecentCopies(remembered)

    def know_newest(self, remembered: int) -> None:
        """Remember the newest of silver, as a stream does that goes on behind it."""
        rows = min(ROWS_AT_START, 3 * remembered)
        newest = [
            self._lake.newest(table, rows).select(*KEY, *COORDINATES) for table in (LATE, READINGS)
        ]
        frame = pl.concat(newest).unique(COORDINATES).sort(COORDINATES).collect()
        topic, partition, offset, item = (frame[name].to_list() for name in COORDINATES)
        copies = Copies(topic, partition, offset, item, None)
        self.remember(frame.select(KEY).rows(), copies)

    def remember(self, keys: Sequence[Key], copies: Copies) -> None:
        """Remember first copies, the newest last."""
        self._recent.add(keys, copies)

    def know(self, keys: Collection[Key]) -> Collection[Key]:
        """Remember those of the keys that silver holds, and return them."""
        if not keys:
            return ()
        copies = self._in_silver(keys)
        topic, partition, offset, item = (
            zip(*(copy[:4] for copy in copies.values()), strict=True)
            if copies
            else ((), (), (), ())
        )
        self.remember(list(copies), Copies(topic, partition, offset, item, None))
        return copies.keys()

    def find(self, keys: Collection[Key]) -> Mapping[Key, Copy]:
        """Look first copies up with their digests; a key that silver lacks is left out."""
        copies = self._recent.find(keys)
        missing = [key for key in keys if key not in copies]
        if missing:
            copies |= self._in_silver(missing)
        return copies | self._digested(
            {key: copy for key, copy in copies.items() if copy.digest is None}
        )

    def _in_silver(self, keys: Collection[Key]) -> dict[Key, Copy]:
        wanted = pl.LazyFrame(list(keys), dict(zip(KEY, _KEY_TYPES, strict=True)), orient="row")
        devices = sorted({key[1] for key in keys})
        near = pl.col("device_full").is_in(devices) & pl.col("seq").is_between(
            min(key[3] for key in keys), max(key[3] for key in keys)
        )
        both = [
            self._lake.scan(table).filter(self._among).select(*KEY, *COORDINATES)
            for table in (READINGS, LATE)
        ]
        rows = pl.concat(both).filter(near).join(wanted, on=KEY, how="semi")
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


def _key(row: Sequence[Any]) -> Key:
    tenant, device_full, boot, seq = row
    return tenant, device_full, boot, seq


def _copy(row: Sequence[Any]) -> Copy:
    topic, partition, offset, item = row
    return Copy(topic, partition, offset, item, None)


def _digest_of(value: bytes | None, item: int) -> int | None:
    messages = decode(value)
    return digest(messages[item].raw) if item < len(messages) else None
