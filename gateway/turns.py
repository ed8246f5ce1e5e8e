"""Turns of records: what has to go to disk waits for what came before it and is on its way."""

from collections.abc import Callable
from itertools import count
from typing import NamedTuple

Keep = Callable[[], None]


class _Waiting(NamedTuple):
    number: int
    size: int
    keep: Keep


class Turns:
    """Records by key: which are on their way, and which wait until those are decided."""

    def __init__(self) -> None:
        self._numbers = count()
        self._on_way: dict[bytes, int] = {}
        self._waiting: dict[bytes, list[_Waiting]] = {}
        self.waiting = 0
        """How many records wait."""
        self.held_bytes = 0
        """Of all that waits."""

    def number(self) -> int:
        """Return the place of a record that comes now."""
        return next(self._numbers)

    def begin(self, key: bytes) -> int:
        """Note that a record is on its way, and return its place."""
        self._on_way[key] = self._on_way.get(key, 0) + 1
        return self.number()

    def is_on_way(self, key: bytes) -> bool:
        """Say whether a record of a key is not decided."""
        return key in self._on_way

    def wait(self, number: int, key: bytes, size: int, keep: Keep) -> None:
        """Have a record of `size` bytes kept once no other one of its key is on its way."""
        self._waiting.setdefault(key, []).append(_Waiting(number, size, keep))
        self.held_bytes += size
        self.waiting += 1

    def end(self, key: bytes) -> list[Keep]:
        """Note that a record is decided; return what may be kept now, in the order of coming."""
        left = self._on_way[key] - 1
        if left:
            self._on_way[key] = left
            return []
        del self._on_way[key]
        waiting = sorted(self._waiting.pop(key, ()), key=lambda each: each.number)
        self.held_bytes -= sum(each.size for each in waiting)
        self.waiting -= len(waiting)
        return [each.keep for each in waiting]
