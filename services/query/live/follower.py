"""Follows the commits of the tables that somebody watches: one read for all who watch."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from services.query.deletions import Deletions
from services.query.latest import Latest, State
from services.query.listing import Listing, TableFiles
from services.query.live import scenes
from services.query.live.channel import HELD, Channel, Subject
from services.query.live.cursors import Cursor
from services.query.live.finals import Wanted, newest_start, stretches, told_points
from services.query.live.mailbox import Batch, Mailbox
from services.query.periods import DAY_US
from services.query.scanning import tried
from services.query.watermarks import Marks
from telemetry.devices import split_full_name
from telemetry.tables import WINDOW_MINUTES

KEPT_S = 60.0
"""How long a channel that nobody watches any more is kept up, for those who come back."""
MOST_IDLE = 64
"""How many of them a table has: who looks at one device after another is no reason to hold all."""
Source = tuple[str, str]
"""A table's name, and the subject in it."""


@dataclass(slots=True)
class _Followed:
    """A table of windows as it was seen last."""

    version: int
    seen: frozenset[str]
    deletions: Deletions
    marks: Marks
    """What was final before it was looked at: all of that has been handed on."""
    channels: dict[Subject, Channel] = field(default_factory=dict)


class Follower:
    """Looks at the tables, and hands what is new to mailboxes; safe for several threads."""

    def __init__(
        self, latest: Latest, tables: Mapping[str, TableFiles], marks: Callable[[], Marks]
    ) -> None:
        """`marks` tells the watermarks of now."""
        self._latest, self._tables, self._marks = latest, tables, marks
        self._followed: dict[str, _Followed] = {}
        self._edition = 0
        self._lock = threading.Lock()
        self.woken = threading.Event()
        """Set when somebody begins to watch."""
        self.reads = self.windows = 0

    @property
    def channels(self) -> list[Channel]:
        """Return what is watched, and what was until now."""
        followed = list(self._followed.values())
        return [each for table in followed for each in list(table.channels.values())]

    def join(self, subject: Subject, mailbox: Mailbox, cursor: Cursor | None, history: int) -> None:
        """Put all that a new viewer must know into its mailbox, and go on from there.

        `history`: windows of each series that one who has no cursor is given.
        """
        with self._lock:
            marks, state = self._marks(), self._latest.state()
            if not self.channels:
                self._edition = state.edition
            # What came since the last look goes to those who watch already.
            self._tell_latest(state)
            channel = tried(lambda: self._channel(subject, marks))
            version = self._followed[subject.table.name].version
            windows = _resumed(channel, cursor, version) if cursor else channel.windows(history)
            mailbox.put([*scenes.whole(state, subject), windows], version)
            channel.mailboxes.add(mailbox)
            channel.idle_since = time.monotonic()
        self.woken.set()

    def step(self) -> None:
        """Look at the tables once."""
        marks, state = self._marks(), self._latest.state()
        with self._lock:
            self._tell_latest(state)
            for name, followed in list(self._followed.items()):
                self._forget_idle(followed, time.monotonic())
                if not followed.channels:
                    del self._followed[name]
                    continue
                tried(partial(self._look_at, name, marks))

    def complete_until(self, subject: Subject) -> str | None:
        """Return up to when all that is in time was handed on; None where nobody can say."""
        followed = self._followed.get(subject.table.name)
        channel = followed.channels.get(subject) if followed else None
        if followed is None or channel is None:
            return None
        return followed.marks.least(subject.tenant, channel.products)

    def _channel(self, subject: Subject, marks: Marks) -> Channel:
        """Return the subject's channel; read its last windows where nobody watched it."""
        name = subject.table.name
        self._look_at(name, marks)
        followed = self._followed[name]
        self._forget_idle(followed, time.monotonic())
        if subject not in followed.channels:
            found = Channel(subject, followed.version)
            self._fill(found, followed.version, marks)
            followed.channels[subject] = found
        return followed.channels[subject]

    def _fill(self, channel: Channel, version: int, marks: Marks) -> None:
        """Read each series' last windows, as far back as `/v1/windows` looks by itself or more."""
        subject, files = channel.subject, self._tables[channel.subject.table.name]
        listing = files.listing()
        newest = newest_start(listing, subject.name)
        if newest is None:
            return
        # Windows of other products may close later, by days.
        slower = [mark for mark in _marks_of(subject, marks) if mark < newest]
        widths_us = HELD * WINDOW_MINUTES[subject.width] * 60_000_000
        within = stretches([newest, *slower], max(DAY_US, widths_us))
        channel.filled_from_us = within[-1].start_us
        numbers = {n for part in within for n in listing.between(*part)}
        self.reads += 1
        paths = [listing.paths[n] for n in sorted(numbers)]
        points = told_points(files, paths, Wanted([subject], marks, within))
        channel.take(points.get(subject, ()), version)

    def _look_at(self, name: str, marks: Marks) -> None:
        """Read what a table's commits have added, once for all of its channels.

        `marks` were taken before.
        """
        files = self._tables[name]
        listing = files.listing()
        followed = self._followed.get(name)
        if followed is None:
            deletions = Deletions(files)
            deletions.happened()
            seen = frozenset(listing.paths)
            self._followed[name] = _Followed(listing.version, seen, deletions, marks)
            return
        # Gold may have said of a product that it is unbounded after its first windows were seen.
        unbounded = marks.never_final - followed.marks.never_final
        if listing.version != followed.version or unbounded:
            if followed.deletions.happened() or unbounded:
                self._fill_anew(followed, listing.version, marks)
            else:
                self._add(followed, files, listing, marks)
            followed.version, followed.seen = listing.version, frozenset(listing.paths)
        followed.marks = marks

    def _add(self, followed: _Followed, files: TableFiles, listing: Listing, marks: Marks) -> None:
        new = [path for path in listing.paths if path not in followed.seen]
        if not new or not followed.channels:
            return
        self.reads += 1
        points = told_points(files, new, Wanted(list(followed.channels), marks))
        for subject, channel in followed.channels.items():
            rows = channel.take(points.get(subject, ()), listing.version)
            self.windows += len(rows)
            batches = [Batch("windows", rows)] if rows else []
            for mailbox in channel.mailboxes:
                mailbox.put(batches, listing.version)

    def _fill_anew(self, followed: _Followed, version: int, marks: Marks) -> None:
        """Forget what was held, and tell what there is."""
        for channel in followed.channels.values():
            channel.clear(version)
            self._fill(channel, version, marks)
            for mailbox in channel.mailboxes:
                mailbox.put([channel.windows(HELD)], version)

    def _tell_latest(self, state: State) -> None:
        """Hand on what the latest values have anew; all of them where they were made anew."""
        news = state.since(self._edition)
        self._edition = state.edition
        watched = [channel for channel in self.channels if channel.mailboxes]
        if news is None or not watched:
            return
        told = scenes.news(news, [channel.subject for channel in watched])
        for channel in watched:
            batches = (
                scenes.whole(state, channel.subject) if told is None else told(channel.subject)
            )
            for mailbox in channel.mailboxes:
                mailbox.put(batches)

    def _forget_idle(self, followed: _Followed, now_s: float) -> None:
        """Let go of those who left, of what nobody came back to, and of the first of too much."""
        idle: list[Subject] = []
        for subject, channel in sorted(followed.channels.items(), key=lambda of: of[1].idle_since):
            channel.mailboxes = {box for box in channel.mailboxes if not box.is_closed}
            if channel.mailboxes:
                channel.idle_since = now_s
            else:
                idle.append(subject)
        for subject in idle[:-MOST_IDLE]:
            del followed.channels[subject]
        for subject in idle[-MOST_IDLE:]:
            if now_s - followed.channels[subject].idle_since > KEPT_S:
                del followed.channels[subject]


def _marks_of(subject: Subject, marks: Marks) -> list[int]:
    """Return the watermarks of the products that a subject may have windows of."""
    if subject.kind == "zone":
        return marks.all_of(subject.tenant)
    mark = marks.of(subject.tenant, split_full_name(subject.name)[0])
    return [] if mark is None else [mark]


def _resumed(channel: Channel, cursor: Cursor, version: int) -> Batch:
    """Return what changed since a cursor; all that is held where that is not known."""
    if channel.since <= cursor.version <= version:
        changed = channel.windows(HELD, after=cursor.version)
        is_gap = channel.let_go > cursor.version or channel.has_let_go(cursor.end_us)
        return replace(changed, has_gap=is_gap)
    whole = channel.windows(HELD)
    return Batch("windows", whole.rows, True, channel.has_let_go(cursor.end_us), whole.skipped)
