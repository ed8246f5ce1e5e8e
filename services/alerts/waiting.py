"""Reads what waits for a receiver: the first in its order, and what is urgent far behind them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, func, literal, select

from services.alerts.outbox import Waiting, chosen
from services.alerts.tables import MESSAGES
from services.database import Turns

AT_ONCE = 200
URGENT_AT_ONCE = 50
URGENT_ALONE = 10
"""So many are looked at each by itself, where all together wait for too many."""
MOST_AHEAD = 500
TABLE = MESSAGES.c
COLUMNS = (TABLE.number, TABLE.key, TABLE.is_urgent, TABLE.tries, TABLE.next_at, TABLE.created_at)
Lanes = frozenset[str] | None


class Line:
    """One receiver's messages.

    Behind the first `at_once` only what is urgent is read, with all that it waits for: earlier
    messages about the same devices, and what these wait for in their turn. So the rest may be left
    out and nothing overtakes another of its device.
    """

    def __init__(self, receiver: str, turns: Turns, at_once: int = AT_ONCE) -> None:
        self._turns = turns
        self._at_once = at_once
        self._mine = (TABLE.receiver == receiver) & (TABLE.state == "waiting")
        self._lanes: dict[int, Lanes] = {}
        """Of messages that were read before: thousands of devices are not to be read each time."""
        self._ahead: list[int] = []
        self._barrier: int | None = None
        self._rest_to = -1

    def read(self, now: datetime) -> list[Waiting]:
        """Return messages of which the next one is to be chosen."""
        with self._turns.reading() as connection:
            found = self._rows(connection, limit=self._at_once)
            if len(found) == self._at_once:
                found += self._urgent(connection, found, now)
        self._lanes = {each.number: each.lanes for each in found}
        return found

    def _urgent(
        self, connection: Connection, first: Sequence[Waiting], now: datetime
    ) -> list[Waiting]:
        """Return what was found the time before, or look anew once none of it may go."""
        begins, ends = first[0].number, first[-1].number
        known = self._rows(connection, TABLE.number.in_(self._ahead), TABLE.number > ends)
        if any(each.is_urgent for each in known) and chosen(known, now):
            return known
        if begins <= self._rest_to:
            return []
        found = self._look(connection, begins, ends, now)
        self._ahead = [each.number for each in found]
        return found

    def _look(self, connection: Connection, begins: int, ends: int, now: datetime) -> list[Waiting]:
        if self._barrier is not None and self._barrier < begins:
            self._barrier = None
        is_near = TABLE.number > ends
        if self._barrier is not None:
            is_near &= TABLE.number < self._barrier
        is_due = TABLE.is_urgent.is_(True) & (TABLE.next_at <= now)
        urgent = self._rows(connection, is_near, is_due, limit=URGENT_AT_ONCE)
        urgent = self._before_barrier(connection, ends, urgent)
        for some in (urgent, *([each] for each in urgent[:URGENT_ALONE])):
            found = self._with_those_before(connection, ends, some)
            if found is not None:
                return found
        # It waits for too many: look again when these are gone.
        self._rest_to = ends
        return []

    def _before_barrier(
        self, connection: Connection, ends: int, urgent: Sequence[Waiting]
    ) -> list[Waiting]:
        """Leave out what is behind a message that is in everybody's order."""
        if not urgent:
            return []
        between = TABLE.number.between(ends + 1, urgent[-1].number)
        query = select(func.min(TABLE.number)).where(self._mine, between, TABLE.lanes.is_(None))
        barrier = connection.execute(query).scalar()
        if barrier is None:
            return list(urgent)
        self._barrier = barrier
        return [each for each in urgent if each.number < barrier]

    def _with_those_before(
        self, connection: Connection, ends: int, urgent: Sequence[Waiting]
    ) -> list[Waiting] | None:
        """Return urgent messages with all that they wait for; None where that is too much."""
        found = {each.number: each for each in urgent}
        seen: set[str] = set()
        while new := {lane for each in found.values() for lane in each.lanes or ()} - seen:
            seen |= new
            if len(seen) > MOST_AHEAD:
                return None
            between = TABLE.number.between(ends + 1, urgent[-1].number)
            about = _is_about(connection, new)
            rows = self._rows(connection, between, about, limit=MOST_AHEAD + 1)
            found |= {each.number: each for each in rows}
            if len(found) > MOST_AHEAD:
                return None
        return list(found.values())

    def _rows(
        self, connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
    ) -> list[Waiting]:
        query = select(*COLUMNS).where(self._mine, *conditions).order_by(TABLE.number).limit(limit)
        rows = connection.execute(query).all()
        new = [row.number for row in rows if row.number not in self._lanes]
        lanes = select(TABLE.number, TABLE.lanes).where(TABLE.number.in_(new))
        for number, named in connection.execute(lanes) if new else ():
            self._lanes[number] = None if named is None else frozenset(named)
        return [Waiting(row[0], row[1], row[2], self._lanes[row[0]], *row[3:]) for row in rows]


def _is_about(connection: Connection, lanes: Collection[str]) -> ColumnElement[bool]:
    is_sqlite = connection.dialect.name == "sqlite"
    each = (func.json_each if is_sqlite else func.json_array_elements_text)(TABLE.lanes)
    one = each.table_valued("value")
    return exists(select(literal(1)).select_from(one).where(one.c.value.in_(sorted(lanes))))
