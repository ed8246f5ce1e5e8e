"""Where first copies are: the newest in memory, older ones in silver, their bytes in bronze."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from spark_jobs.dedup.names import Key
from spark_jobs.dedup.recent import Copies, Copy, RecentCopies, copies, digests, marks_of
from spark_jobs.jobs.record_bytes import RECORD, bytes_at, contents
from spark_jobs.lake import Lake
from spark_jobs.pieces import holding, newest
from telemetry.tables import LATE, READINGS, Table

KEY = ("tenant", "device_full", "boot", "seq")
COORDINATES = ("topic", "partition", "offset", "item")
ROWS_AT_START = 300_000
_PLACE = dict(zip(COORDINATES, (pl.String, pl.Int32, pl.Int64, pl.Int32), strict=True))
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
        some = [
            newest(self._lake, table, rows).select(*KEY, *COORDINATES) for table in (LATE, READINGS)
        ]
        frame = pl.concat(some).unique(COORDINATES).sort(COORDINATES).collect()
        self.remember(marks_of(frame.select(KEY).rows()), copies(frame))

    def remember(self, marked: np.ndarray, found: Copies) -> None:
        """Remember first copies by the marks of their keys, the newest last."""
        self._recent.add(marked, found)

    def know(self, keys: Collection[Key]) -> Collection[Key]:
        """Remember those of the keys that silver holds, and return them."""
        if not keys:
            return ()
        found = self._in_silver(keys)
        places = [copy[:4] for copy in found.values()]
        self.remember(marks_of([*found]), copies(pl.DataFrame(places, _PLACE, orient="row")))
        return found.keys()

    def find(self, asked: Mapping[Key, int | None]) -> Mapping[Key, Copy]:
        """Look first copies up with their digests; a key that silver lacks is left out.

        `asked` has the event time of each, in microseconds since 1970, None where it is not known.
        What is sent again says the time of before, so the files of that time are read first.
        """
        found = self._recent.find(asked)
        timed = {key: at for key, at in asked.items() if key not in found and at is not None}
        if timed:
            found |= self._in_silver(timed, np.array([*timed.values()], np.int64))
        if missing := [key for key in asked if key not in found]:
            found |= self._in_silver(missing)
        return found | self._digested(
            {key: copy for key, copy in found.items() if copy.digest is None}
        )

    def _in_silver(self, keys: Collection[Key], times: np.ndarray | None = None) -> dict[Key, Copy]:
        """Look keys up in all of silver, or in the files that may hold some event times."""
        wanted = pl.LazyFrame(list(keys), dict(zip(KEY, _KEY_TYPES, strict=True)), orient="row")
        devices = sorted({key[1] for key in keys})
        near = pl.col("device_full").is_in(devices) & pl.col("seq").is_between(
            min(key[3] for key in keys), max(key[3] for key in keys)
        )
        both = [
            self._rows(table, times).filter(self._among).select(*KEY, *COORDINATES)
            for table in (READINGS, LATE)
        ]
        rows = pl.concat(both).filter(near).join(wanted, on=KEY, how="semi")
        # A replay may have left more than one copy, until the proof removes them.
        ordered = rows.unique().sort(COORDINATES, descending=True).collect(engine="streaming")
        return {_key(row[:4]): _copy(row[4:]) for row in ordered.iter_rows()}

    def _rows(self, table: Table, times: np.ndarray | None) -> pl.LazyFrame:
        if times is None:
            return self._lake.scan(table)
        return holding(self._lake, table, "event_time_us", times)

    def _digested(self, found: Mapping[Key, Copy]) -> dict[Key, Copy]:
        if not found:
            return {}
        places = [(copy.topic, copy.partition, copy.offset) for copy in found.values()]
        columns = {name: _PLACE[name] for name in RECORD}
        held = contents(self._lake, pl.DataFrame(places, columns, orient="row").unique())
        return {
            key: copy._replace(digest=_digest_of(bytes_at(held, place, copy.item)))
            for (key, copy), place in zip(found.items(), places, strict=True)
        }


def _key(row: Sequence[Any]) -> Key:
    tenant, device_full, boot, seq = row
    return tenant, device_full, boot, seq


def _copy(row: Sequence[Any]) -> Copy:
    topic, partition, offset, item = row
    return Copy(topic, partition, offset, item, None)


def _digest_of(raw: bytes | None) -> int | None:
    return None if raw is None else int(digests(pl.Series([raw], dtype=pl.Binary))[0])
