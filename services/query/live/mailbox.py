"""What one viewer has not been sent yet; a slow one gets the newest, and is told what it missed."""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Literal

Kind = Literal["latest", "places", "windows"]
Rows = Mapping[Hashable, str]
"""JSON of rows by what they are of: a series, a device, a window; the oldest first."""
MOST_BATCHES = 8
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Batch:
    """Rows of one kind that one look at the tables found; every viewer gets the same object."""

    kind: Kind
    rows: Rows
    is_whole: bool = False
    """They are all that there is now: what was told before is not so any more."""
    has_gap: bool = False
    """Windows between those that the viewer has and these are not here any more."""
    skipped: int = 0

    @cached_property
    def text(self) -> str:
        """The rows as JSON, put together once for all viewers."""
        return f"[{','.join(self.rows.values())}]"

    def followed_by(self, newer: "Batch") -> "Batch":
        """Return one batch for two: of each series the newer row, of windows the newest.

        What the older one lacks of windows, a whole one that is newer lacks as well.
        """
        if newer.is_whole:
            return replace(newer, has_gap=True) if self.has_gap and not newer.has_gap else newer
        together = {name: row for name, row in self.rows.items() if name not in newer.rows}
        overwritten = len(self.rows) - len(together)
        together.update(newer.rows)
        over = max(0, len(together) - MOST_ROWS)
        kept = dict(islice(together.items(), over, None))
        skipped = self.skipped + newer.skipped + overwritten + over
        return Batch(self.kind, kept, self.is_whole, self.has_gap, skipped)


class Mailbox:
    """Batches for one viewer, few however slow it is; filled by the follower, emptied by it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: dict[Kind, list[Batch]] = {}
        self._version = -1
        self._lock = threading.Lock()
        self.is_closed = False
        """Nobody empties it any more."""

    def put(self, batches: list[Batch], version: int | None = None) -> None:
        """Add batches, and up to which version of the windows' table they go."""
        with self._lock:
            for batch in batches:
                waiting = self._waiting.setdefault(batch.kind, [])
                waiting.append(batch)
                if len(waiting) > MOST_BATCHES or batch.is_whole:
                    self._waiting[batch.kind] = [one(waiting)]
            if version is not None:
                self._version = version
        if batches:
            self._wake()

    def take(self) -> tuple[list[Batch], int]:
        """Return what waits, a batch a kind, and the version that it goes up to."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            version = self._version
        return [one(batches) for batches in waiting.values()], version


def one(batches: list[Batch]) -> Batch:
    """Return one batch for several that came one after another."""
    whole, *rest = batches
    for batch in rest:
        whole = whole.followed_by(batch)
    return whole
