"""Kafka with a spool beside it: while Kafka is away, records go to disk, and later on to Kafka.

A record that Kafka did not take is fsynced before it is acknowledged. As long as the spool holds
anything, new records queue behind it; and while records of a device are on their way to Kafka,
what has to go to disk waits until they are decided. So a device's records stay in their order.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import pyarrow as pa

from edge.outbox import OutRecord
from gateway.channels import DECLARED
from gateway.counters import Counters
from gateway.disk import AGAIN_S, Disk
from gateway.outlet import Headers, Outlet, OutletError, Settle
from gateway.spool_segments import counted, keys, oldest, pages, size
from gateway.turns import Turns
from telemetry.accounts import PAGE_HEADER

TOPIC_HEADER = "spooled_topic"
RETRY_S = 5.0
AT_ONCE = 500
"""Records that are handed on before others of the loop have their turn."""


class _Held(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Leaving(Outlet, Protocol):
    """An outlet that may be away, as Kafka may."""

    is_away: bool

    def purge(self) -> None:
        """Give up what is queued and not on its way: it is settled as an error."""


class FallbackOutlet:
    """Sends to Kafka, or to disk while Kafka does not acknowledge."""

    def __init__(
        self,
        kafka: Leaving,
        folder: Path,
        counters: Counters,
        *,
        most_bytes: int,
        again_s: float = AGAIN_S,
    ) -> None:
        """Try a disk that failed again after `again_s`."""
        self._kafka = kafka
        self._segments = folder / "segments"
        self._most_bytes = most_bytes
        self._disk = Disk(folder, counters, again_s=again_s)
        self._turns = Turns()
        self._is_to_purge = False
        """Whether a record has failed and what is queued behind it has not been given up yet."""
        self._bytes = sum(path.stat().st_size for path in self._files())
        self.spooled = pages(self._files())
        """How many records of each page of the account are on disk, 0 of one that had some."""
        self._lying = keys(self._files())
        """How many records of each key are on disk, or on their way there."""
        self.is_spooling = bool(self._files())

    def _files(self) -> list[Path]:
        return sorted(self._segments.glob("*.parquet"))

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        """Take a record, or raise `OutletError`; what is of no topic of ours never goes to disk.

        Such a topic may not even be there, and what cannot be handed on would hold up all others.
        """
        if topic not in DECLARED:
            self._kafka.send(topic, key, value, headers, settle)
            return
        held = _Held(topic, key, value, headers)
        if self.is_spooling:
            self._keep_in_turn(held, settle)
            return
        number = self._turns.begin(key)
        try:
            sent = partial(self._sent, number, held, settle)
            self._kafka.send(topic, key, value, headers, sent)
        except OutletError as error:
            self._end(key)
            if not error.is_away:
                raise
            self.is_spooling = True
            self._keep_in_turn(held, settle)

    def holds(self, key: bytes) -> bool:
        """Say whether records of a key are on disk or on their way, so that others wait behind."""
        return key in self._lying or self._turns.is_on_way(key)

    def room(self, size: int = 0, key: bytes = b"") -> int:
        """Return how many records it takes now; raise `OutletError` if neither place takes any."""
        if not self.is_spooling:
            try:
                return self._kafka.room(size)
            except OutletError as error:
                if not error.is_away:
                    raise
        self._check_room(size)
        return self._disk.room()

    def _check_room(self, size: int = 0) -> None:
        if self._bytes + self._turns.held_bytes + size >= self._most_bytes:
            raise OutletError("the spool is full", is_away=True, retry_after_s=RETRY_S)

    def _sent(
        self, number: int, held: _Held, settle: Settle, error: object, message: object
    ) -> None:
        if error is None:
            settle(None, message)
        else:
            self._is_to_purge |= not self.is_spooling
            self.is_spooling = True
            self._turns.wait(
                number, held.key, len(held.value), partial(self._kept_now, held, settle)
            )
        self._end(held.key)

    def _end(self, key: bytes) -> None:
        for keep in self._turns.end(key):
            keep()

    def _keep_in_turn(self, held: _Held, settle: Settle) -> None:
        if self._turns.is_on_way(held.key):
            self._check_room()
            keep = partial(self._kept_now, held, settle)
            self._turns.wait(self._turns.number(), held.key, len(held.value), keep)
        else:
            self._keep(held, settle)

    def _kept_now(self, held: _Held, settle: Settle) -> None:
        """Keep a record whose turn it is, or settle it with the error."""
        try:
            self._keep(held, settle)
        except OutletError as full:
            settle(full, None)

    def _keep(self, held: _Held, settle: Settle) -> None:
        self._check_room()
        headers = [*held.headers.items(), (TOPIC_HEADER, held.topic.encode())]
        record = OutRecord(held.key, held.value, cast("list[tuple[str, bytes]]", headers))
        self._lying[held.key] += 1
        try:
            self._disk.send(record, partial(self._kept, settle, held))
        except OutletError:
            self._gone({held.key: 1})
            raise

    def _gone(self, counts: Mapping[bytes, int]) -> None:
        """Note that so many records of some keys are no longer on disk."""
        for key, count in counts.items():
            self._lying[key] -= count
            if self._lying[key] <= 0:
                del self._lying[key]

    def _kept(self, settle: Settle, held: _Held, error: object, message: object) -> None:
        if error is not None:
            self._gone({held.key: 1})
        else:
            self._bytes += len(held.value)
            if page := _page(held.headers):
                self.spooled[page] += 1
        settle(error, message)

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""
        waiting = self._kafka.poll()
        if self._is_to_purge or (self._kafka.is_away and not self.is_spooling):
            # What is not on its way yet goes to disk now, in its order, not after a timeout: and if
            # Kafka came back before that, it would be there before what is on disk.
            self.is_spooling, self._is_to_purge = True, False
            self._kafka.purge()
        return waiting + self._disk.poll() + self._turns.waiting

    async def drain(self) -> None:
        """Hand what is on disk on to Kafka, as soon as it takes records again; for ever."""
        while True:
            await asyncio.sleep(1.0)
            try:
                while self.is_spooling and await self._drained():
                    pass
            except (OutletError, OSError):
                continue

    async def _drained(self) -> bool:
        """Send the oldest segments; return False once there is none."""
        files = self._files()
        if not files:
            self._bytes = 0
            self.is_spooling = self._disk.waiting > 0 or self._turns.waiting > 0
            return False
        tables = await asyncio.to_thread(oldest, files)
        left = await self._taken(pa.concat_tables(tables))
        for file, table in zip(files, tables, strict=False):
            left -= table.num_rows
            if left < 0:
                raise OutletError("Kafka is away", is_away=True, retry_after_s=RETRY_S)
            file.unlink()
            # Else room that was drained would be missing until all is, while others go on to send.
            self._bytes = max(self._bytes - size(table), 0)
            self.spooled.subtract(counted(table))
            self._gone(Counter(table.column("key").to_pylist()))
        return True

    async def _taken(self, table: pa.Table) -> int:
        """Send records, and return how many of them, from the first on, Kafka has taken."""
        rows = table.select(["key", "value", "headers"]).to_pylist()
        told: dict[int, object] = {}
        sent = 0
        for sent, row in enumerate(rows, start=1):
            headers = {str(pair["key"]): pair["value"] for pair in row["headers"]}
            topic = headers.pop(TOPIC_HEADER).decode()
            settle = partial(_tell, told, sent)
            try:
                self._kafka.send(topic, row["key"], row["value"], headers, settle)
            except OutletError as error:
                told[sent] = error
                break
            if sent == 1:
                # The first one shows whether Kafka is back.
                await self._all_told(told, sent)
                if told[sent] is not None:
                    break
            elif sent % AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._all_told(told, sent)
        return next((n for n in range(sent) if told[n + 1] is not None), sent)

    async def _all_told(self, told: Mapping[int, object], count: int) -> None:
        while len(told) < count:
            self._kafka.poll()
            await asyncio.sleep(0.01)

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        left = self._kafka.close(timeout_s)
        return left + self._disk.close(timeout_s) + self._turns.waiting


def _tell(told: dict[int, object], number: int, error: object, _message: object) -> None:
    told[number] = error


def _page(headers: Mapping[str, object]) -> bytes:
    name = headers.get(PAGE_HEADER)
    return name if isinstance(name, bytes) else b""
