"""Pages of gateways held against the records that name them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from spark_jobs.transforms.spans import Span
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
    told: Mapping[str, Span]
    """From when to when there were words on each page, by a clock that may have been set back."""
    spooled: Mapping[str, int]
    spooled_at: Mapping[str, datetime]
    """When a disk was last said to hold records of a page, or first said to hold none any more."""
    heard_at: Mapping[str, datetime]
    """When each gateway said something last."""
    newest: Mapping[str, str]
    """The newest page of each gateway."""

    def is_over(self, told: Told, now: datetime) -> bool:
        """Tell whether no later word on a page can come."""
        page = told.page
        is_silent = now - self.heard_at[page.instance] > SILENT_AFTER
        has_newer = page.name != self.newest[page.instance]
        return page.is_final or is_silent or (has_newer and now - told.at > SILENT_AFTER)

    def needed_at(self, told: Told) -> datetime:
        """Return the moment that landing must have passed before a page can be counted.

        What was on a disk is handed on whenever Kafka is back.
        """
        last = self.told[told.page.name].end
        return max(last, self.spooled_at.get(told.page.name, last))

    def began(self, told: Told) -> datetime:
        """Return the moment from which on records of a page can have been appended."""
        return min(moment(told.page.began_at), self.told[told.page.name].start)


def ledger(words: Iterable[Told]) -> Ledger:
    """Put together what was told, given in the order of telling: no clock says which is newer."""
    pages: dict[str, Told] = {}
    spans: dict[str, Span] = {}
    disks: dict[str, Mapping[str, int]] = {}
    heard: dict[str, datetime] = {}
    newest: dict[str, str] = {}
    spooled_at: dict[str, datetime] = {}
    for told in words:
        page = told.page
        if page.name not in pages:
            newest[page.instance] = page.name
        pages[page.name] = _newer(pages.get(page.name, told), told)
        spans[page.name] = _grown(spans.get(page.name), told.at)
        spooled_at |= dict.fromkeys({*page.spool, *disks.get(page.instance, ())}, told.at)
        disks[page.instance] = {name: count for name, count in page.spool.items() if count}
        heard[page.instance] = told.at
    spooled: dict[str, int] = {}
    for disk in disks.values():
        for name, count in disk.items():
            spooled[name] = spooled.get(name, 0) + count
    return Ledger(pages, spans, spooled, spooled_at, heard, newest)


def _newer(before: Told, told: Told) -> Told:
    """Return the later of two words on a page: one that a disk held may come behind it.

    What was taken and acknowledged only grows.
    """
    counts = [(one.page.is_final, one.page.taken, one.page.acknowledged) for one in (before, told)]
    return told if counts[1] >= counts[0] else before


def _grown(span: Span | None, at: datetime) -> Span:
    return Span(min(span.start, at), max(span.end, at)) if span else Span(at, at)


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
