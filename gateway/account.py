"""The gateway's account: how many records it took and acknowledged, page by page.

Each record says in its header `gateway` on which page it was taken, whatever becomes of it. So
for each page, whenever it is counted: acknowledged <= records that are there <= taken.
A page ends with its hour, or with its process. No clock is compared with another one.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from edge.durable_files import replace_durably
from gateway.outlet import Settle
from telemetry.accounts import Page

HOUR_US = 3_600_000_000
SETTLED_US = 60_000_000
"""After its end a page changes for no longer: whatever is on its way is decided sooner."""
CHANGED_US = 10_000_000
UNCHANGED_US = 300_000_000
KEPT_S = 8 * 24 * 3600.0
Tell = Callable[[Page], None]
"""Publishes the newest word on a page."""


class OpenPage:
    """The counts of one page, at hand for those who count each record."""

    __slots__ = ("acknowledged", "began_at", "ended_at", "is_told", "name", "taken")

    def __init__(self, name: str, began_at: int) -> None:
        self.name = name.encode()
        self.began_at = began_at
        self.ended_at: int | None = None
        self.taken = 0
        self.acknowledged = 0
        self.is_told: tuple[int, int] | None = None
        """The figures that were told last."""


class Account:
    """The pages of one process; times are in epoch microseconds."""

    def __init__(self, instance: str = "", now: int = 0) -> None:
        """Begin the first page; `instance` stays the same when the process is started again."""
        self.instance = instance or os.urandom(4).hex()
        self._epoch = os.urandom(3).hex()
        self._number = 0
        self._before: list[OpenPage] = []
        self._settled = 0
        self._told_at = 0
        self._told_spool: dict[bytes, int] = {}
        self.page = self._begun(now or time.time_ns() // 1000)

    def _begun(self, now: int) -> OpenPage:
        self._number += 1
        return OpenPage(f"{self.instance}-{self._epoch}-{self._number}", now)

    @property
    def taken(self) -> int:
        """Records that were handed to a store since the process began."""
        return self._settled + sum(page.taken for page in (*self._before, self.page))

    def left_out(self) -> None:
        """Note a message that will be acknowledged and leaves no record."""
        self.page.acknowledged -= 1

    def uncounted(self, settle: Settle) -> Settle:
        """Return what settles a record that is on no page, though its acknowledgement is told."""
        page = self.page

        def settled(error: object, message: object) -> None:
            if error is None:
                page.acknowledged -= 1
            settle(error, message)

        return settled

    def due(self, now: int, spooled: Mapping[bytes, int]) -> list[Page]:
        """Return the pages that are to be told now; a new one begins with each hour."""
        if now // HOUR_US != self.page.began_at // HOUR_US:
            self._end(now)
        lies = _changed(spooled, self._told_spool)
        # A clock that was set back is no reason to wait until it is that late again.
        told_before = abs(now - self._told_at)
        is_old = told_before >= UNCHANGED_US or spooled != self._told_spool
        if told_before < CHANGED_US:
            return []
        pages = [*self._before, self.page]
        due = [
            page
            for page in pages
            if is_old or page.ended_at or page.is_told != (page.taken, page.acknowledged)
        ]
        if due:
            self._told_at, self._told_spool = now, dict(spooled)
        told = [self._told(page, now, lies, is_over=False) for page in due]
        self._settled += sum(page.taken for page in self._before if _is_settled(page, now))
        self._before = [page for page in self._before if not _is_settled(page, now)]
        return told

    def last(self, now: int, spooled: Mapping[bytes, int]) -> list[Page]:
        """End the page, once all that was taken is decided, and return what is left to tell."""
        self._end(now)
        lies = _changed(spooled, self._told_spool)
        return [self._told(page, now, lies, is_over=True) for page in self._before]

    def _end(self, now: int) -> None:
        self.page.ended_at = now
        self._before.append(self.page)
        self.page = self._begun(now)

    def _told(
        self, page: OpenPage, now: int, spooled: Mapping[bytes, int], *, is_over: bool
    ) -> Page:
        page.is_told = page.taken, page.acknowledged
        return Page(
            name=page.name.decode(),
            instance=self.instance,
            began_at=page.began_at,
            told_at=now,
            taken=page.taken,
            acknowledged=page.acknowledged,
            is_final=is_over or _is_settled(page, now),
            spool={name.decode(): count for name, count in spooled.items()},
        )


def _changed(spooled: Mapping[bytes, int], told: Mapping[bytes, int]) -> dict[bytes, int]:
    """Return what lies on disks, with a 0 once of a page that has nothing there any more.

    A spool may fill and empty between two words. What it has sent may be there twice.
    """
    return {name: count for name, count in spooled.items() if count or told.get(name) != 0}


def _is_settled(page: OpenPage, now: int) -> bool:
    return page.ended_at is not None and abs(now - page.ended_at) >= SETTLED_US


def instance_of(folder: Path) -> str:
    """Return the name that the gateway of a folder keeps for good."""
    path = folder / "instance"
    with suppress(OSError):
        if known := path.read_text().strip():
            return known
    made = os.urandom(4).hex()
    replace_durably(path, made.encode())
    return made


class PageFiles:
    """Pages as files, where no Kafka is: each the newest word on its page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tell(self, page: Page) -> None:
        """Write a page; a disk that takes nothing now takes the next word on it."""
        with suppress(OSError):
            replace_durably(self._folder / f"{page.name}.json", page.encoded())
            self._forget(time.time() - KEPT_S)

    def _forget(self, before: float) -> None:
        for path in self._folder.glob("*.json"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
