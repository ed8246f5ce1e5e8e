"""One transaction of the service: what it reads of alerts and groups, and what it writes."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from services.alerts import messages
from services.alerts.evidence import Detail, read_details, write_details
from services.alerts.grouping import Member
from services.alerts.life import Life
from services.alerts.repeats import Runs
from services.alerts.routing import GroupKey
from services.alerts.rows import life_of, life_values, member_of
from services.alerts.tables import ALERTS, GROUPS, HELD, MEMBERS, MESSAGES, RECORDS, TRAIL
from services.alerts.writing import AT_ONCE, in_groups, upsert

LIFE_COLUMNS = [each for each in ALERTS.columns if each.name not in ("detail", "is_published")]
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A message for the outbox."""

    kind: messages.Kind
    tenant: str
    receiver: str
    lives: Sequence[Life]
    person: str | None = None
    group: GroupKey | None = None
    is_urgent: bool = False


class Work:
    """Reads at once, collects what is to be written, and writes it at the end, table by table."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.told: set[tuple[str, str, str]] = set()
        """(person, alert, mark) that this transaction tells: two routes tell a person once."""
        self.sent: list[tuple[str, datetime]] = []
        """Messages to people, for their budgets."""
        self._trail: list[dict[str, object]] = []
        self._runs = Runs()
        self._records: list[dict[str, object]] = []
        self._messages: list[dict[str, object]] = []
        self._lives: dict[str, Life] = {}
        self._details: dict[str, Detail] = {}
        self._mended: set[str] = set()
        self._groups: dict[str, datetime] = {}
        self._members: dict[tuple[str, str], Member] = {}
        self._dropped: dict[tuple[str, str], None] = {}
        self._held: dict[tuple[str, str], str] = {}

    def lives(self, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Life]:
        """Return alerts."""
        query = select(*LIFE_COLUMNS).where(*conditions).limit(limit)
        return [life_of(cast(Row, row)) for row in self.connection.execute(query).mappings()]

    def by_id(self, ids: Collection[str]) -> dict[str, Life]:
        """Return alerts by their ids, as this transaction has them."""
        found = {name: self._lives[name] for name in ids if name in self._lives}
        for some in in_groups(sorted(set(ids) - set(found))):
            found |= {life.alert_id: life for life in self.lives(ALERTS.c.alert_id.in_(some))}
        return found

    def current(self, keys: Collection[str]) -> dict[str, Life]:
        """Return the newest alert of each dedup key."""
        found: dict[str, Life] = {}
        for some in in_groups(sorted(keys)):
            wanted = ALERTS.c.dedup_key.in_(some) & ALERTS.c.is_current
            query = select(*LIFE_COLUMNS).where(wanted)
            for row in self.connection.execute(query).mappings():
                found[cast(str, row["dedup_key"])] = life_of(cast(Row, row))
        return found

    def members(self, *conditions: ColumnElement[bool]) -> list[tuple[str, Member]]:
        """Return members with the keys of their groups."""
        query = select(MEMBERS).where(*conditions).order_by(MEMBERS.c.group_key)
        return [
            (row["group_key"], member_of(cast(Row, row)))
            for row in self.connection.execute(query).mappings()
        ]

    def groups(self, keys: Iterable[str]) -> set[str]:
        """Return which of the groups there are."""
        found = set(self._groups)
        for some in in_groups(keys):
            query = select(GROUPS.c.group_key).where(GROUPS.c.group_key.in_(some))
            found |= {key for (key,) in self.connection.execute(query)}
        return found

    def due_groups(self) -> list[str]:
        """Return the groups that are to be looked at by now; forget those that are empty."""
        is_due, is_empty = (
            GROUPS.c.due_at <= self.now,
            ~exists().where(MEMBERS.c.group_key == GROUPS.c.group_key),
        )
        if (
            self.connection.execute(select(GROUPS.c.group_key).where(is_due).limit(1)).first()
            is None
        ):
            return []
        self.connection.execute(delete(GROUPS).where(is_due, is_empty))
        query = select(GROUPS.c.group_key).where(is_due).order_by(GROUPS.c.due_at).limit(AT_ONCE)
        return [key for (key,) in self.connection.execute(query)]

    def put_life(self, life: Life) -> None:
        """Write an alert as it is now."""
        self._lives[life.alert_id] = life

    def put_detail(self, alert_id: str, detail: Detail) -> None:
        """Keep what an alert's first record said beside."""
        self._details[alert_id] = detail

    def mend_detail(self, alert_id: str, detail: Detail) -> None:
        """Write over what is kept so."""
        self._details[alert_id] = detail
        self._mended.add(alert_id)

    def details(self, alert_ids: Iterable[str]) -> dict[str, Detail]:
        """Return what is kept of alerts beside their lives, as this transaction has it."""
        wanted = set(alert_ids)
        found = {name: self._details[name] for name in wanted & {*self._details}}
        for some in in_groups(sorted(wanted - {*found})):
            found |= read_details(self.connection, some)
        return found

    def put_group(self, key: str, due_at: datetime) -> None:
        """Write when a group is looked at next."""
        self._groups[key] = due_at

    def put_member(self, key: str, member: Member) -> None:
        """Write a group's member."""
        self._members[key, member.alert_id] = member
        self._dropped.pop((key, member.alert_id), None)

    def record(self, **values: object) -> None:
        """Note a record as taken."""
        self._records.append({"at": self.now, "digest": None, **values})

    def note(
        self, subject: Life, step: str, facts: Mapping[str, object], person: str | None = None
    ) -> None:
        """Note a step of an alert's trail."""
        row: dict[str, object] = {
            "at": self.now,
            "tenant": subject.tenant,
            "alert_id": subject.alert_id,
            "person": person,
            "step": step,
            "facts": facts,
        }
        if step != "received" or self._runs.note(row):
            self._trail.append(row)

    def hold(self, person: str, lives: Iterable[Life]) -> None:
        """Keep alerts for a person's next digest."""
        for life in lives:
            self._held[person, life.alert_id] = life.tenant

    def queue(self, wanted: Wanted) -> str:
        """Put a message into the outbox and return its key."""
        key = uuid.uuid4().hex
        if wanted.person:
            self.sent.append((wanted.person, self.now))
        self._messages.append(
            {
                "key": key,
                "tenant": wanted.tenant,
                "receiver": wanted.receiver,
                "person": wanted.person,
                "kind": wanted.kind,
                "is_urgent": wanted.is_urgent,
                "lanes": messages.lanes(wanted.lives),
                "content": self._content(wanted),
                "alerts": len(wanted.lives),
                "created_at": self.now,
                "state": "waiting",
                "tries": 0,
                "next_at": self.now,
            }
        )
        return key

    def _content(self, wanted: Wanted) -> messages.Content:
        details = self.details(one.alert_id for one in messages.gravest(wanted.lives))
        return messages.content(
            wanted.kind, wanted.lives, self.now, group=wanted.group, details=details
        )

    def sent_to(self, person: str) -> list[datetime]:
        """Return when this transaction tells a person."""
        return [at for name, at in self.sent if name == person]

    @property
    def receivers(self) -> set[str]:
        """The receivers that have something new to deliver."""
        return {str(message["receiver"]) for message in self._messages}

    def drop_group(self, key: str) -> None:
        """Forget a group and its members."""
        self.connection.execute(delete(MEMBERS).where(MEMBERS.c.group_key == key))
        self.connection.execute(delete(GROUPS).where(GROUPS.c.group_key == key))

    def drop_members(self, key: str, alert_ids: Iterable[str]) -> None:
        """Forget members of a group."""
        for alert_id in alert_ids:
            self._members.pop((key, alert_id), None)
            self._dropped[key, alert_id] = None

    def finish(self) -> None:
        """Write what was collected."""
        self._finish_lives()
        if self._dropped:
            where = (MEMBERS.c.group_key == bindparam("group")) & (
                MEMBERS.c.alert_id == bindparam("alert")
            )
            dropped = [{"group": key, "alert": alert_id} for key, alert_id in self._dropped]
            self.connection.execute(delete(MEMBERS).where(where), dropped)
        groups = [{"group_key": key, "due_at": due_at} for key, due_at in self._groups.items()]
        upsert(self.connection, GROUPS, groups)
        members = [
            {"group_key": key, **asdict(member)} for (key, _), member in self._members.items()
        ]
        upsert(self.connection, MEMBERS, members)
        held = [
            {"person": person, "alert_id": alert_id, "tenant": tenant, "at": self.now}
            for (person, alert_id), tenant in self._held.items()
        ]
        upsert(self.connection, HELD, held, keep=("at",))
        spared = {id(row) for row in self._runs.stored(self.connection)}
        trail = [row for row in self._trail if id(row) not in spared]
        for table, rows in ((RECORDS, self._records), (TRAIL, trail), (MESSAGES, self._messages)):
            if rows:
                self.connection.execute(insert(table), rows)

    def _finish_lives(self) -> None:
        rows = [
            {
                **life_values(life),
                "is_published": False,
                "detail": self._details.get(life.alert_id, {}),
            }
            for life in self._lives.values()
        ]
        upsert(self.connection, ALERTS, rows, keep=("detail",))
        write_details(self.connection, {name: self._details[name] for name in self._mended})

    def supersede(self, alert_ids: Iterable[str]) -> None:
        """Say that these alerts are no longer the newest of their keys."""
        rows = [{"wanted": alert_id} for alert_id in alert_ids]
        if rows:
            where = ALERTS.c.alert_id == bindparam("wanted")
            self.connection.execute(update(ALERTS).where(where).values(is_current=False), rows)
