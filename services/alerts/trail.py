"""The trail: why an alert was told to whom, or why not, and how each delivery went."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Connection, select

from services.alerts.tables import MESSAGES, RECORDS, TRAIL, TRIES
from services.alerts.writing import in_groups

Row = Mapping[str, object]
MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page of a trail: the newest steps, or those before the place of another page's end."""

    before: int | None = None
    limit: int = MOST_STEPS


NEWEST = Asked()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was decided or done."""

    at: datetime
    step: str
    facts: dict[str, object]
    alert_id: str | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some steps in their order; `following` is what to ask `before` for older ones, if any."""

    steps: list[Step]
    following: int | None


def alert_of(connection: Connection, tenant: str, given: str) -> str | None:
    """Return the alert that an id means: its own, or that of a record that it took in."""
    query = select(RECORDS.c.alert_id).where(
        RECORDS.c.record_id == given, RECORDS.c.tenant == tenant, RECORDS.c.alert_id.is_not(None)
    )
    return connection.execute(query.limit(1)).scalar()


def alert_trail(connection: Connection, tenant: str, alert_id: str, asked: Asked = NEWEST) -> Page:
    """Return what happened to an alert."""
    mine = (TRAIL.c.tenant == tenant) & (TRAIL.c.alert_id == alert_id)
    return _page(connection, mine, asked)


def person_trail(connection: Connection, tenant: str, person: str, asked: Asked = NEWEST) -> Page:
    """Return what was decided about a person for a tenant."""
    mine = (TRAIL.c.tenant == tenant) & (TRAIL.c.person == person)
    return _page(connection, mine, asked)


def _page(connection: Connection, mine: ColumnElement[bool], asked: Asked) -> Page:
    """Return the newest decisions before a place, with every try of the messages they made."""
    before = mine if asked.before is None else mine & (TRAIL.c.id < asked.before)
    query = select(TRAIL).where(before).order_by(TRAIL.c.id.desc()).limit(asked.limit + 1)
    found = connection.execute(query).mappings().all()
    rows = found[: asked.limit]
    steps = [
        Step(row["at"], row["step"], dict(row["facts"]), row["alert_id"], row["person"])
        for row in reversed(rows)
    ]
    keys = dict.fromkeys(str(step.facts["message"]) for step in steps if "message" in step.facts)
    ordered = sorted([*steps, *_deliveries(connection, keys)], key=lambda step: step.at)
    return Page(ordered, rows[-1]["id"] if len(found) > len(rows) else None)


def _deliveries(connection: Connection, keys: Iterable[str]) -> list[Step]:
    """Return every try of the messages, and what became of each."""
    found = []
    for some in in_groups(keys):
        query = (
            select(TRIES, MESSAGES.c.receiver, MESSAGES.c.person)
            .join(MESSAGES, MESSAGES.c.key == TRIES.c.key)
            .where(TRIES.c.key.in_(some))
            .order_by(TRIES.c.id)
        )
        found += [_tried(cast(Row, row)) for row in connection.execute(query).mappings()]
        waiting = select(MESSAGES).where(
            MESSAGES.c.key.in_(some), MESSAGES.c.state.in_(("waiting", "given_up"))
        )
        found += [_waits(cast(Row, row)) for row in connection.execute(waiting).mappings()]
    return found


def _tried(row: Row) -> Step:
    names = ("receiver", "outcome", "status", "latency_ms", "reason")
    facts = {"message": row["key"], **{name: row[name] for name in names}}
    return Step(
        cast(datetime, row["at"]), "delivery", facts, None, cast("str | None", row["person"])
    )


def _waits(row: Row) -> Step:
    is_waiting = row["state"] == "waiting"
    at = cast(datetime, row["next_at"] if is_waiting else row["settled_at"])
    facts = {"message": row["key"], "receiver": row["receiver"], "tries": row["tries"]}
    step = "waits" if is_waiting else "given_up"
    return Step(at, step, facts, None, cast("str | None", row["person"]))
