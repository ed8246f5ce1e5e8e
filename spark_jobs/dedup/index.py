"""Which keys silver holds: exact for counted messages, by generations for hashed ones."""

import logging
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from spark_jobs.dedup.boots import Boots, Flags, PackedBoots
from spark_jobs.dedup.generations import Generations
from spark_jobs.dedup.names import HASHED, PROBE, UNIQUE, Boot, Key, boot_marks

ROOM = 8_000_000
"""Intervals of all boots, 16 bytes each: one that leaves gaps in its numbers has one a message."""
ROOM_OF_ONE = 65_536
"""Intervals of one boot: to find the place for one more among them has its price too."""
BOOTS = 4_000_000
"""With more boots than this, those that were silent for a horizon or two are forgotten."""
TIMES = 2
"""So many times `BOOTS` are the most, 200 MB: a device may name a boot for each of its messages."""
LACKED = 10_000
"""Numbers asked for in vain, after which a boot is taken for one that does not count at all."""
log = logging.getLogger(__name__)


class PackedIndex(NamedTuple):
    """An index at rest: intervals of each boot, marks of each generation of hashed keys.

    `lacked` has the boots whose gaps were closed: what of them was asked for in vain. `probe` says
    by which hash boots are marked.
    """

    boots: PackedBoots = PackedBoots()
    hashed: list[bytes] = []  # noqa: RUF012
    lacked: tuple[tuple[int, int], ...] = ()
    probe: int = PROBE


class KeyIndex:
    """Membership of keys. It may say yes to a key that silver lacks, never no to one it holds.

    A hashed key leaves it as `Generations` says, a boot where there are too many and it was silent
    for longer than `horizon_us` (None: for ever), or where there are far too many. Where boots
    leave too many gaps in their numbers, the lowest gaps are closed: it says yes to what is in
    them. A boot of which much of that was asked for, and is not in silver, numbers at random: its
    keys are hashed from then on.
    """

    def __init__(
        self, *, remembered: int, horizon_us: int | None, room: int = ROOM, boots: int = BOOTS
    ) -> None:
        self.horizon_us = horizon_us
        self._room, self._most = room, boots
        self._boots = Boots()
        self._turned_at: int | None = None
        self._lacked: dict[int, int] = {}
        self._hashed = Generations(remembered=remembered)

    def add(self, key: Key, mark: int | None = None) -> bool:
        """Take a key up; return False if it was there. Keys unique by construction need no room.

        `mark` is its boot's; of many keys it is found for all of them at once.
        """
        *boot, seq = key
        name = boot[2]
        if name.startswith(UNIQUE):
            return True
        if name.startswith(HASHED):
            # A device may call its own boot so, and count in it.
            numbered = (str(seq),) if seq else ()
            return self._hashed.add(_mark(*boot, *numbered))
        mark = int(boot_marks([key])[0]) if mark is None else mark
        if self._is_random(mark):
            return self._hashed.add(_mark(*boot, str(seq)))
        return self._boots.add_run(mark, seq, seq)

    def take_up(self, keys: Sequence[Key]) -> None:
        """Take up keys that silver holds."""
        for key, mark in zip(keys, boot_marks(keys).tolist(), strict=True):
            self.add(key, mark)

    def add_runs(self, marks: np.ndarray, first: np.ndarray, last: np.ndarray) -> Flags:
        """Take up the numbers from `first` to `last` of boots that count, given their marks.

        Tell which of the runs are taken up: of another a number was there, or its boot does not
        count.
        """
        random = [mark for mark in self._lacked if self._is_random(mark)]
        if not random:
            return self._boots.add_runs(marks, first, last)
        counts = ~np.isin(marks, np.array(random, dtype=np.uint64))
        counts[counts] = self._boots.add_runs(marks[counts], first[counts], last[counts])
        return counts

    def merge(self, boot: Boot, ranges: Iterable[tuple[int, int]]) -> None:
        """Take up many numbers of one boot, as (first, last)."""
        mark = int(boot_marks([boot])[0])
        if self._is_random(mark):
            self._hash(boot, ranges)
        else:
            self._boots.merge(mark, ranges)

    def _is_random(self, mark: int) -> bool:
        return self._lacked.get(mark, 0) >= LACKED

    def _hash(self, boot: Boot, ranges: Iterable[tuple[int, int]]) -> None:
        for first, last in ranges:
            for seq in range(first, last + 1):
                self._hashed.add(_mark(*boot, str(seq)))

    def lack(self, keys: Iterable[Key]) -> None:
        """Take note of keys to which it said yes, and which silver lacks."""
        asked = [*keys] if self._lacked else []
        for (*_, seq), mark, key in zip(asked, boot_marks(asked).tolist(), asked, strict=True):
            if mark in self._lacked and seq in self._boots.lowest(mark):
                self._lacked[mark] += 1
                if self._is_random(mark):
                    self._give_up(key[:3], mark)

    def _give_up(self, boot: Boot, mark: int) -> None:
        """Hash a boot's keys from now on; those in the gaps that were closed are forgotten."""
        log.warning("%s numbers at random: only its newest messages are remembered", boot[1])
        self._hash(boot, self._boots.pop(mark)[1:])

    def keep_room(self, now: int) -> None:
        """Make room where there are too many boots or gaps; `now` in microseconds.

        It is of a clock that nobody sets.
        """
        self._forget_silent(now)
        self._forget_most()
        self._boots.fold()
        closed = self._boots.close(self._room, ROOM_OF_ONE)
        for mark in closed:
            self._lacked.setdefault(mark, 0)
        if closed:
            log.info("the lowest gaps of %d boots are closed", len(closed))

    def _forget_silent(self, now: int) -> None:
        if self.horizon_us is None or len(self._boots) <= self._most:
            return
        if self._turned_at is None or now >= self._turned_at + self.horizon_us:
            # On the first turn nobody is known to be silent yet.
            log.info("%d boots are forgotten that were silent", self._boots.forget_silent())
            self._lacked = {m: n for m, n in self._lacked.items() if self._boots.lowest(m)}
            self._turned_at = now

    def _forget_most(self) -> None:
        if forgotten := self._boots.forget_beyond(TIMES * self._most):
            log.warning("%d boots are forgotten: there is no room for as many", forgotten)
            self._lacked = {m: n for m, n in self._lacked.items() if self._boots.lowest(m)}

    def packed(self) -> PackedIndex:
        """Return all that it holds."""
        lacked = tuple(self._lacked.items())
        return PackedIndex(self._boots.packed(), self._hashed.packed(), lacked)

    def unpack(self, packed: PackedIndex) -> None:
        """Take the place of an index at rest."""
        self._boots.unpack(packed.boots)
        self._lacked = dict(packed.lacked)
        self._hashed.unpack(packed.hashed)


def _mark(*key: str) -> int:
    """Return 64 bits that stand for a hashed key, the same in every process."""
    whole = "\0".join(key).encode()
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "big", signed=True)
