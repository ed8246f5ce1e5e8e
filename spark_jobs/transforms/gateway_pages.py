"""Pages of gateways held against the records that name them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telemetry.accounts import Page

SILENT_AFTER = timedelta(minutes=15)
"""A gateway tells something every five minutes: one that does not was killed, or is cut off."""


@dataclass(frozen=True, slots=True)
class Told:
    """The newest word on a page, and when its record was appended, by the broker's clock."""

    page: Page
    at: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """What gateways have told: the newest word on each page, and on what lies on their disks."""

    pages: Mapping[str, Told]
    spooled: Mapping[str, int]
    spooled_at: Mapping[str, datetime]
    """When a disk was last said to hold records of a page, or first said to hold none any more."""
    heard_at: Mapping[str, datetime]
    """When each gateway said something last."""
    begun_at: Mapping[str, int]
    """When the newest page of each gateway began."""

    def is_over(self, told: Told, now: datetime) -> bool:
        """Tell whether no later word on a page can come."""
        page = told.page
        is_silent = now - self.heard_at[page.instance] > SILENT_AFTER
        has_newer = page.began_at < self.begun_at[page.instance]
        return page.is_final or is_silent or (has_newer and now - told.at > SILENT_AFTER)

    def needed_at(self, told: Told) -> datetime:
        """Return the moment that landing must have passed before a page can be counted.

        What was on a disk is handed on whenever Kafka is back.
        """
        return max(told.at, self.spooled_at.get(told.page.name, told.at))


def ledger(words: Iterable[Told]) -> Ledger:
    """Put together what was told, in the order of telling."""
    pages: dict[str, Told] = {}
    disks: dict[str, Mapping[str, int]] = {}
    heard: dict[str, datetime] = {}
    begun: dict[str, int] = {}
    spooled_at: dict[str, datetime] = {}
    for told in sorted(words, key=lambda told: (told.at, told.page.told_at)):
        page = told.page
        pages[page.name] = told
        spooled_at |= dict.fromkeys({*page.spool, *disks.get(page.instance, ())}, told.at)
        disks[page.instance] = {name: count for name, count in page.spool.items() if count}
        heard[page.instance] = told.at
        begun[page.instance] = max(page.began_at, begun.get(page.instance, 0))
    spooled: dict[str, int] = {}
    for disk in disks.values():
        for name, count in disk.items():
            spooled[name] = spooled.get(name, 0) + count
    return Ledger(pages, spooled, spooled_at, heard, begun)


@dataclass(frozen=True, slots=True)
class PageBalance:
    """What a page says, and the records of it that are there, by place."""

    told: Told
    telemetry: int
    others: Mapping[str, int] = field(default_factory=dict)
    spooled: int = 0
    was_spooled: bool = False

    @property
    def found(self) -> int:
        """Records that are there, wherever."""
        return self.telemetry + sum(self.others.values()) + self.spooled

    @property
    def difference(self) -> int:
        """Records that are there less those acknowledged; below 0, some are lost."""
        return self.found - self.told.page.acknowledged

    @property
    def holds(self) -> bool:
        """Whether all that was acknowledged is there, and no more than was sent.

        More than was acknowledged may be: a gateway was killed, or gave up waiting, after the
        store had the record. More than was taken may not, unless a spool sent some twice, or the
        page's last figures were never told.
        """
        page = self.told.page
        is_bounded = page.is_final and not self.was_spooled
        return self.difference >= 0 and (not is_bounded or self.found <= page.taken)

    @property
    def is_exact(self) -> bool:
        """Whether a single lost record would show: no other one can stand for it."""
        page = self.told.page
        return page.is_final and not self.was_spooled and page.taken == page.acknowledged

    def row(self) -> dict[str, object]:
        """Return the row of ops.gateway_conservation."""
        page = self.told.page
        began_at = moment(page.began_at)
        hour = began_at.replace(minute=0, second=0, microsecond=0)
        return {
            "gateway": page.instance,
            "page": page.name,
            "hour": hour,
            "began_at": began_at,
            "told_at": moment(page.told_at),
            "is_final": page.is_final,
            "taken": page.taken,
            "acknowledged": page.acknowledged,
            "telemetry": self.telemetry,
            "dead": self.others.get("dead", 0),
            "uplink": self.others.get("uplink", 0),
            "spooled": self.spooled,
            "difference": self.difference,
            "holds": self.holds,
            "hour_date": hour.date(),
        }

    def sentence(self) -> str:
        """Say what is wrong."""
        page = self.told.page
        began_at = moment(page.began_at)
        return (
            f"gateway {page.instance}, page {page.name} from {began_at:%Y-%m-%d %H:%M}:"
            f" {page.acknowledged} records acknowledged, {page.taken} taken, {self.found} there"
        )


def moment(microseconds: int) -> datetime:
    """Return a time of a page."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
