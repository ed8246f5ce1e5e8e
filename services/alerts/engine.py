"""The decisions in transactions, one after another: records, time, people's words."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from threading import RLock

from sqlalchemy import Engine as Database
from sqlalchemy import delete, insert, select, update

from services.alerts import ticking
from services.alerts.book import Book, open_book
from services.alerts.clock import Clock
from services.alerts.configuration import Configuration, serves
from services.alerts.intake import Taken, moved, take
from services.alerts.life import Life, acknowledged, resolved
from services.alerts.silences import Silence
from services.alerts.tables import ALERTS, MARKS, MEMBERS, SILENCES
from services.alerts.work import Wanted, Work
from services.database import Turns
from telemetry.alerts import Alert

ROUTES_OF = "routes_of"
"""Mark: the configuration by which the members of groups were chosen."""


class Engine:
    """All that changes alerts, groups and the outbox; one transaction at a time."""

    def __init__(
        self,
        database: Database,
        configuration: Configuration,
        now: Callable[[], datetime],
        wake: Callable[[set[str]], None] = lambda receivers: None,
    ) -> None:
        """`wake` hears which receivers have something new, once it is committed."""
        self.turns = Turns(database)
        self.now = now
        self._wake = wake
        self._lock = RLock()
        self._configuration = configuration
        self._book: Book | None = None
        self._clock = Clock()
        self.configure(configuration)

    @property
    def configuration(self) -> Configuration:
        """The configuration in force."""
        return self._configuration

    @contextmanager
    def working(self) -> Iterator[tuple[Work, Book]]:
        """Do one transaction's work; what was told in it is sent only after its commit."""
        with self._lock:
            try:
                with self.turns.writing() as connection:
                    now = self.now()
                    if self._clock.mind(connection, now):
                        self._book = None
                    if self._book is None:
                        self._book = open_book(self._configuration, connection, now)
                    book, work = self._book, Work(connection, now)
                    yield work, book
                    work.finish()
                book.note_sent(work.sent)
                self._clock.passed(now)
            except BaseException:
                # What memory knows may be ahead of the database: read it anew.
                self._book = None
                raise
        self._wake(work.receivers)

    def take(
        self, alerts: Sequence[Alert], digests: Mapping[str, str] | None = None
    ) -> list[Taken]:
        """Take records of any detector; they are stored once this returns."""
        with self.working() as (work, book):
            return take(work, book, alerts, digests)

    def tick(self) -> None:
        """Do what is due."""
        with self.working() as (work, book):
            ticking.tick(work, book)

    def configure(self, configuration: Configuration) -> None:
        """Take over a configuration; alerts that are open find their routes anew."""
        with self._lock:
            self._configuration, self._book = configuration, None
            with self.working() as (work, book):
                mark = select(MARKS.c.value).where(MARKS.c.name == ROUTES_OF)
                if work.connection.execute(mark).scalar() == configuration.digest:
                    return
                work.connection.execute(delete(MARKS).where(MARKS.c.name == ROUTES_OF))
                values = {"name": ROUTES_OF, "value": configuration.digest}
                work.connection.execute(insert(MARKS).values(values))
                moved(work, book, work.lives(ALERTS.c.phase != "resolved"), {})

    def acknowledge(self, tenant: str, alert_id: str, who: str) -> Life | None:
        """Note that somebody has taken an alert on; None if there is no such alert."""
        return self._changed(tenant, alert_id, who, "acknowledged", acknowledged)

    def resolve(self, tenant: str, alert_id: str, who: str) -> Life | None:
        """End an alert by somebody's word; None if there is no such alert."""
        return self._changed(tenant, alert_id, who, "resolved", resolved)

    def _changed(
        self,
        tenant: str,
        alert_id: str,
        who: str,
        step: str,
        change: Callable[[Life, str, datetime], Life],
    ) -> Life | None:
        with self.working() as (work, book):
            wanted = (ALERTS.c.alert_id == alert_id) & (ALERTS.c.tenant == tenant)
            found = work.lives(wanted)
            if not found:
                return None
            before, after = found[0], change(found[0], who, work.now)
            if after is not before:
                work.put_life(after)
                work.note(after, step, {"by": who})
                values = {"escalate_at": None}
                mine = MEMBERS.c.alert_id == alert_id
                work.connection.execute(update(MEMBERS).where(mine).values(values))
                if after.mark != before.mark:
                    moved(work, book, [after], {})
            return after

    def silence(self, silence: Silence) -> Silence:
        """Put a silence in force under an id of its own."""
        named = replace(silence, silence_id=uuid.uuid4().hex)
        with self.working() as (work, book):
            row = {
                "silence_id": named.silence_id,
                "tenant": named.tenant,
                "fields": named.match.as_json(),
                "author": named.author,
                "comment": named.comment,
                "starts_at": named.starts_at,
                "ends_at": named.ends_at,
                "created_at": work.now,
            }
            work.connection.execute(insert(SILENCES).values(row))
            book.silences[named.silence_id] = named
        return named

    def end_silence(self, tenant: str, silence_id: str, who: str) -> bool:
        """End a silence now; say whether there was one of the tenant that had not ended."""
        with self.working() as (work, book):
            table = SILENCES.c
            mine = (table.silence_id == silence_id) & (table.tenant == tenant)
            ended = work.connection.execute(
                update(SILENCES)
                .where(mine, table.ends_at > work.now, table.ended_by.is_(None))
                .values(ends_at=work.now, ended_by=who)
            )
            book.silences.pop(silence_id, None)
            return ended.rowcount > 0

    def test(self, tenant: str, to: str) -> list[str]:
        """Send a test to a person, team or receiver; return the messages' keys."""
        with self.working() as (work, book):
            keys = []
            known = book.configuration
            for name in known.members(to):
                person = known.people.get(name)
                if not serves((person or known.receivers[name]).tenants, tenant):
                    continue
                receivers = list(person.receivers) if person else [name]
                for receiver in receivers:
                    wanted = Wanted(kind="test", tenant=tenant, receiver=receiver, lives=())
                    keys.append(work.queue(wanted))
            return keys
