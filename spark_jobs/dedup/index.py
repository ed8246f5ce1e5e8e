"""Which keys silver holds: exact for counted messages, by generations for hashed ones."""

import logging
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import numpy as np

from spark_jobs.dedup.generations import Generations
from spark_jobs.dedup.intervals import Intervals

Key: TypeAlias = tuple[str, str, str, int]
"""(tenant, device_full, boot, seq)"""
Boot: TypeAlias = tuple[str, str, str]
"""(tenant, device_full, boot)"""
HASHED = "h:"
UNIQUE = "k:"
UNCOUNTED = (HASHED, UNIQUE)
ROOM = 4_000_000
"""Intervals of all boots, 16 bytes each: one that leaves gaps in its numbers has one a message."""
ROOM_OF_ONE = 65_536
"""Intervals of one boot: to find the place for one more among them has its price too."""
BOOTS = 1_000_000
"""With more boots than this, those that were silent for a horizon or two are forgotten."""
LACKED = 10_000
"""Numbers asked for in vain, after which a boot is taken for one that does not count at all."""
log = logging.getLogger(__name__)


class PackedIndex(NamedTuple):
    """An index at rest: intervals of each boot; newest message and marks of each generation.

    `lacked` has the boots whose gaps were closed: what of them was asked for in vain.
    """

    counted: list[tuple[str, str, str, bytes]]
    hashed: list[tuple[int, bytes]]
    lacked: tuple[tuple[str, str, str, int], ...] = ()


class KeyIndex:
    """Membership of keys. It may say yes to a key that silver lacks, never no to one it holds.

    A hashed key leaves it as `Generations` says, a boot where there are too many and it was silent
    for longer than the horizon. Where boots leave too many gaps in their numbers, the lowest gaps
    are closed: it says yes to what is in them. A boot of which much of that was asked for, and is
    not in silver, numbers at random: its keys are hashed from then on.
    """

    def __init__(
        self, *, remembered: int, horizon_us: int | None, room: int = ROOM, boots: int = BOOTS
    ) -> None:
        self._room, self._boots = room, boots
        self._horizon_us = horizon_us
        self._counted: dict[Boot, Intervals] = {}
        self._silent: dict[Boot, Intervals] = {}
        self._turned_at: int | None = None
        self._lacked: dict[Boot, int] = {}
        self._hashed = Generations(remembered=remembered, horizon_us=horizon_us)

    def add(self, key: Key, received_at: int) -> bool:
        """Take a key up; return False if it was there. Keys unique by construction need no room."""
        tenant, device_full, name, seq = key
        boot = tenant, device_full, name
        intervals = self._counted.get(boot) or self._back(boot)
        if intervals:
            return intervals.add(seq)
        if name.startswith(UNIQUE):
            return True
        if name.startswith(HASHED):
            return self._hashed.add(_mark(*boot), received_at)
        if self._is_random(boot):
            return self._hashed.add(_mark(*boot, str(seq)), received_at)
        self._counted[boot] = Intervals([(seq, seq)])
        return True

    def add_run(self, boot: Boot, first: int, last: int) -> bool:
        """Take up the numbers from `first` to `last` of a boot that counts.

        Return False, having taken up none, if one of them was there or the boot does not count.
        """
        intervals = self._counted.get(boot) or self._back(boot)
        if intervals:
            return intervals.add_run(first, last)
        if self._is_random(boot):
            return False
        self._counted[boot] = Intervals([(first, last)])
        return True

    def merge(self, boot: Boot, ranges: Iterable[tuple[int, int]], received_at: int) -> None:
        """Take up many numbers of one boot, as (first, last)."""
        if self._is_random(boot):
            self._hash(boot, ranges, received_at)
        else:
            intervals = self._back(boot) or self._counted.setdefault(boot, Intervals())
            intervals.merge(ranges)

    def _back(self, boot: Boot) -> Intervals | None:
        """Return what is known of a boot that was silent; it is not any more."""
        intervals = self._silent.pop(boot, None)
        if intervals:
            self._counted[boot] = intervals
        return intervals

    def _is_random(self, boot: Boot) -> bool:
        return self._lacked.get(boot, 0) >= LACKED

    def _hash(self, boot: Boot, ranges: Iterable[tuple[int, int]], received_at: int) -> None:
        for first, last in ranges:
            for seq in range(first, last + 1):
                self._hashed.add(_mark(*boot, str(seq)), received_at)

    def lack(self, keys: Iterable[Key], received_at: int) -> None:
        """Take note of keys to which it said yes, and which silver lacks."""
        for tenant, device_full, name, seq in keys:
            boot = tenant, device_full, name
            if boot in self._lacked and boot in self._counted and seq in self._counted[boot].lowest:
                self._lacked[boot] += 1
                if self._is_random(boot):
                    self._give_up(boot, received_at)

    def _give_up(self, boot: Boot, received_at: int) -> None:
        """Hash a boot's keys from now on; those in the gaps that were closed are forgotten."""
        log.warning("%s numbers at random: only its newest messages are remembered", boot[1])
        _, *known = self._counted.pop(boot).ranges()
        self._hash(boot, known, received_at)

    def keep_room(self, now: int) -> None:
        """Make room where there are too many boots or gaps; `now` in microseconds since 1970."""
        self._forget_silent(now)
        all_of_them = {**self._silent, **self._counted}
        counts = np.fromiter(map(len, all_of_them.values()), np.int64, len(all_of_them))
        if counts.sum() <= self._room and counts.max(initial=0) <= ROOM_OF_ONE:
            return
        kept = _fair_share(counts, self._room // 2)
        for (boot, intervals), count in zip(all_of_them.items(), counts.tolist(), strict=True):
            if count > kept:
                intervals.close(kept)
                self._lacked.setdefault(boot, 0)
        log.info("of %d boots no more than %d intervals are kept", np.sum(counts > kept), kept)

    def _forget_silent(self, now: int) -> None:
        if self._horizon_us is None or len(self._counted) + len(self._silent) <= self._boots:
            return
        if self._turned_at is None or now >= self._turned_at + self._horizon_us:
            # On the first turn nobody is known to be silent yet.
            log.info("%d boots are forgotten that were silent", len(self._silent))
            for boot in self._silent:
                self._lacked.pop(boot, None)
            self._silent, self._counted, self._turned_at = self._counted, {}, now

    def packed(self) -> PackedIndex:
        """Return all that it holds."""
        return PackedIndex(
            [
                (*boot, intervals.to_bytes())
                for part in (self._silent, self._counted)
                for boot, intervals in part.items()
            ],
            self._hashed.packed(),
            tuple((*boot, count) for boot, count in self._lacked.items()),
        )

    def unpack(self, packed: PackedIndex) -> None:
        """Take the place of an index at rest."""
        self._counted = {
            (tenant, device_full, boot): Intervals.from_bytes(bounds)
            for tenant, device_full, boot, bounds in packed.counted
        }
        self._lacked = {
            (tenant, device_full, boot): count for tenant, device_full, boot, count in packed.lacked
        }
        self._hashed.unpack(packed.hashed)


def _fair_share(counts: np.ndarray, room: int) -> int:
    """Return how many of each fit into the room, to a power of two; one at least."""
    share = ROOM_OF_ONE // 2
    while share > 1 and np.minimum(counts, share).sum() > room:
        share //= 2
    return share


def _mark(*key: str) -> int:
    """Return 64 bits that stand for a hashed key, the same in every process."""
    whole = "\0".join(key).encode()
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "big", signed=True)
