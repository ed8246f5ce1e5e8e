"""What the service keeps in memory: the configuration, silences, inhibitors, people's budgets."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection, select

from services.alerts.configuration import Configuration, Route
from services.alerts.inhibition import Sources
from services.alerts.life import Life
from services.alerts.routing import every_route
from services.alerts.rows import life_of, silence_of_row
from services.alerts.silences import Silence
from services.alerts.tables import ALERTS, MESSAGES, SILENCES
from services.alerts.work import LIFE_COLUMNS

Row = Mapping[str, object]


@dataclass(slots=True)
class Book:
    """Read from the database at the start and after a failure, kept up beside it."""

    configuration: Configuration
    routes: Mapping[str, Route]
    silences: dict[str, Silence] = field(default_factory=dict)
    sources: Sources = field(default_factory=lambda: Sources(()))
    sent: dict[str, deque[datetime]] = field(default_factory=dict)

    def sent_to(self, person: str, now: datetime) -> Iterable[datetime]:
        """Return when a person got messages, as far back as the limit looks."""
        times = self.sent.get(person)
        if times is None:
            return ()
        within = self.configuration.people[person].limit.within
        while times and times[0] <= now - within:
            times.popleft()
        return times

    def note_sent(self, sent: Iterable[tuple[str, datetime]]) -> None:
        """Count messages to people."""
        for person, at in sent:
            self.sent.setdefault(person, deque()).append(at)


def open_book(configuration: Configuration, connection: Connection, now: datetime) -> Book:
    """Read what is kept in memory."""
    book = Book(configuration, {route.path: route for route in every_route(configuration.route)})
    rest = (SILENCES.c.ends_at > now) & SILENCES.c.ended_by.is_(None)
    rows = connection.execute(select(SILENCES).where(rest)).mappings()
    book.silences = {row["silence_id"]: silence_of_row(cast(Row, row)) for row in rows}
    if configuration.inhibit:
        book.sources = Sources(configuration.inhibit, _unresolved(connection))
    longest = max((one.limit.within for one in configuration.people.values()), default=timedelta())
    query = (
        select(MESSAGES.c.person, MESSAGES.c.created_at)
        .where(MESSAGES.c.person.is_not(None), MESSAGES.c.created_at > now - longest)
        .order_by(MESSAGES.c.created_at)
    )
    book.note_sent((person, at) for person, at in connection.execute(query))
    return book


def _unresolved(connection: Connection) -> Iterable[Life]:
    query = select(*LIFE_COLUMNS).where(ALERTS.c.phase != "resolved")
    for row in connection.execute(query).mappings():
        yield life_of(cast(Row, row))
