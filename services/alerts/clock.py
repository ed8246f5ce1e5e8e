"""A clock that is put back: whatever was to be done is done as soon as it would have been.

What the service keeps are times, so a clock that goes back by an hour would stop every wait for an
hour. Times that lie ahead of it are taken back by as much as it was.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, bindparam, delete, insert, select, update
from sqlalchemy import true as everything

from services.alerts.tables import ALERTS, GROUPS, HELD, MARKS, MEMBERS, MESSAGES
from services.alerts.writing import in_groups

LEAST = timedelta(seconds=1)
"""Less than this is what a clock is kept right by."""
NOTE_EVERY = timedelta(minutes=1)
MARK = "clock"
"""Mark: what time it was last."""
log = logging.getLogger(__name__)
_TIMES: tuple[tuple[Column[datetime], ColumnElement[bool]], ...] = (
    (GROUPS.c.due_at, everything()),
    (MEMBERS.c.told_at, everything()),
    (MEMBERS.c.escalate_at, everything()),
    (HELD.c.at, everything()),
    (MESSAGES.c.next_at, MESSAGES.c.state == "waiting"),
    (MESSAGES.c.created_at, everything()),
    (ALERTS.c.heard_at, ALERTS.c.phase != "resolved"),
)


class Clock:
    """What time it was last: in memory, and to the minute in the database for the next start."""

    def __init__(self) -> None:
        self._seen: datetime | None = None
        self._noted: datetime | None = None

    def mind(self, connection: Connection, now: datetime) -> bool:
        """Take back what lies ahead if the clock was put back; say whether it was."""
        seen = self._seen or _noted(connection)
        is_back = seen is not None and now < seen - LEAST
        if seen is not None and is_back:
            _put_back(connection, now, seen - now)
        if is_back or self._noted is None or now - self._noted >= NOTE_EVERY:
            connection.execute(delete(MARKS).where(MARKS.c.name == MARK))
            connection.execute(insert(MARKS).values(name=MARK, value=now.isoformat()))
            self._noted = now
        return is_back

    def passed(self, now: datetime) -> None:
        """Note a time whose transaction is committed."""
        self._seen = now


def _noted(connection: Connection) -> datetime | None:
    value = connection.execute(select(MARKS.c.value).where(MARKS.c.name == MARK)).scalar()
    return datetime.fromisoformat(value) if value else None


def _put_back(connection: Connection, now: datetime, by: timedelta) -> None:
    moved = sum(_take_back(connection, column, which, now, by) for column, which in _TIMES)
    log.warning("the clock was put back by %s: so were %d times", by, moved)


def _take_back(
    connection: Connection,
    column: Column[datetime],
    which: ColumnElement[bool],
    now: datetime,
    by: timedelta,
) -> int:
    table = column.table
    keys = list(table.primary_key)
    ahead = connection.execute(select(*keys, column).where(which, column > now)).all()
    rows = [
        {**{f"key_{n}": part for n, part in enumerate(key)}, "earlier": at - by}
        for *key, at in ahead
    ]
    change = update(table).values({column.name: bindparam("earlier", type_=column.type)})
    for n, key in enumerate(keys):
        change = change.where(key == bindparam(f"key_{n}"))
    for some in in_groups(rows):
        connection.execute(change, some)
    return len(rows)
