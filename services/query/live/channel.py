"""One device or zone that somebody watches: its last windows, and who watches."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import orjson

from services.query.live.mailbox import MOST_ROWS, Batch, Mailbox, Rows
from services.query.live_windows import OF_DEVICES, OF_ZONES
from telemetry.tables import Table

LiveWidth = Literal["minute", "five_minutes", "hour", "day"]
HELD = 120
"""Windows of each series that are held."""


class Subject(NamedTuple):
    """Whose windows of which width are watched, of one metric or of all."""

    tenant: str
    kind: Literal["device", "zone"]
    name: str
    width: LiveWidth
    metric: str | None = None

    @property
    def table(self) -> Table:
        """Return the table of its windows."""
        return (OF_ZONES if self.kind == "zone" else OF_DEVICES)[self.width]


class Window(NamedTuple):
    """A window's JSON, its end in microseconds since 1970, and since which version."""

    text: str
    end_us: int
    version: int


Series = tuple[str, str]
"""Product and metric."""


class Channel:
    """The last windows of one subject; one lock of the follower guards it."""

    def __init__(self, subject: Subject, version: int) -> None:
        self.subject = subject
        self.since = version
        """Changes are known from this version of the table on."""
        self.mailboxes: set[Mailbox] = set()
        self.idle_since = 0.0
        self.filled_from_us = 0
        """Windows that begin before it were not read."""
        self.let_go = -1
        """The newest version of the windows that were let go for newer ones."""
        self.products: frozenset[str] = frozenset()
        """Products that it has windows of; put anew, never changed, so anybody may read it."""
        self._held: dict[Series, dict[int, Window]] = {}

    def clear(self, version: int) -> None:
        """Hold nothing; what comes is as of a version."""
        self._held, self.since = {}, version

    def take(self, points: Iterable[Mapping[str, object]], version: int) -> Rows:
        """Hold windows, and return those that are new or say something else than before."""
        fresh: list[tuple[int, Series, str]] = []
        for point in points:
            series, end_us = (str(point["product"]), str(point["metric"])), int(str(point["end"]))
            text = orjson.dumps({k: v for k, v in point.items() if k != "end"}).decode()
            if self._put(series, Window(text, end_us, version)):
                fresh.append((end_us, series, text))
        return {(series, end_us): text for end_us, series, text in sorted(fresh)}

    def _put(self, series: Series, window: Window) -> bool:
        """Hold a window unless it is known, or older than all that are held."""
        held = self._held.setdefault(series, {})
        self.products |= {series[0]}
        known = held.get(window.end_us)
        if known and known.text == window.text:
            return False
        if known is None and len(held) >= HELD:
            oldest = min(held)
            if window.end_us < oldest:
                return False
            self.let_go = max(self.let_go, held.pop(oldest).version)
        held[window.end_us] = window
        return True

    def windows(self, most: int, *, after: int | None = None) -> Batch:
        """Return each series' last windows; `after`: those that changed after a version."""
        chosen = [
            (end_us, series, window.text)
            for series, held in self._held.items()
            for end_us, window in sorted(held.items())[-most:]
            if after is None or window.version > after
        ] if most else []  # fmt: skip
        newest = sorted(chosen)[-MOST_ROWS:]
        rows: Rows = {(series, end_us): text for end_us, series, text in newest}
        return Batch("windows", rows, after is None, skipped=len(chosen) - len(newest))

    def newest_us(self) -> int:
        """Return the end of the newest window that is held, 0 if there is none."""
        return max((max(held) for held in self._held.values()), default=0)

    def has_let_go(self, end_us: int) -> bool:
        """Say whether windows that ended after `end_us` may have been let go, or never read."""
        if 0 < end_us < self.filled_from_us:
            return True
        full = [held for held in self._held.values() if len(held) >= HELD]
        return any(min(held) > end_us for held in full)
