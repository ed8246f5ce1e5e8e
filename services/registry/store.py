"""The store: bodies by key, read and written in transactions whose changes are counted in order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from services.database import Turns
from services.registry import rows, tables
from services.registry.tables import CHANGES, EDITION, KIND_TABLES
from telemetry.changes import (
    KINDS,
    LARGEST_VALUE,
    Body,
    CertificateBody,
    Change,
    ChangeKey,
    Kind,
    encode_change,
)
from telemetry.errors import HeadwaterError

GROUP = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A body with its key and what the registry notes beside it."""

    key: ChangeKey
    body: Body
    edition: int
    created_at: datetime
    changed_at: datetime
    revoked_at: datetime | None


class Reading:
    """One transaction that reads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def get(self, kind: Kind, tenant: str, name: str) -> Entry | None:
        """Return what is in force under a key."""
        table = KIND_TABLES[kind]
        found = self.entries(kind, table.c.tenant == tenant, table.c.name == name, limit=1)
        return next(iter(found), None)

    def by_name(self, kind: Kind, name: str) -> Entry | None:
        """Return what is in force under a name that is nobody else's in any tenant."""
        found = self.entries(kind, KIND_TABLES[kind].c.name == name, limit=1)
        return next(iter(found), None)

    def entries(
        self,
        kind: Kind,
        *conditions: ColumnElement[bool],
        limit: int | None = None,
        with_revoked: bool = False,
    ) -> list[Entry]:
        """Return entries by tenant and name."""
        table = KIND_TABLES[kind]
        wanted = conditions if with_revoked else (*conditions, table.c.revoked_at.is_(None))
        query = select(table).where(and_(True, *wanted)).order_by(table.c.tenant, table.c.name)
        found = self.connection.execute(query.limit(limit)).mappings()
        return [_entry(kind, cast(Mapping[str, object], row)) for row in found]

    def known(self, kind: Kind, keys: Iterable[ChangeKey]) -> dict[ChangeKey, Entry]:
        """Return what is in force under many keys of one kind."""
        table = KIND_TABLES[kind]
        found: dict[ChangeKey, Entry] = {}
        for tenant, group in groupby(sorted(keys), key=lambda key: key.tenant):
            names = [key.name for key in group]
            for start in range(0, len(names), GROUP):
                wanted = table.c.name.in_(names[start : start + GROUP])
                entries = self.entries(kind, table.c.tenant == tenant, wanted)
                found |= {entry.key: entry for entry in entries}
        return found

    def edition(self) -> int:
        """Return how many changes were committed."""
        return int(self.connection.execute(select(EDITION.c.newest)).scalar_one())


def _entry(kind: Kind, row: Mapping[str, object]) -> Entry:
    key = ChangeKey(kind, cast(str, row["tenant"]), cast(str, row["name"]))
    return Entry(
        key,
        rows.body(kind, row),
        cast(int, row["edition"]),
        cast(datetime, row["created_at"]),
        cast(datetime, row["changed_at"]),
        cast(datetime | None, row["revoked_at"]),
    )


class Writing(Reading):
    """One transaction that writes; no other writes at the same time."""

    def __init__(self, connection: Connection, actor: str, now: datetime) -> None:
        super().__init__(connection)
        self.now = now
        self._actor = actor
        locked = select(EDITION.c.newest).with_for_update()
        self._edition = int(connection.execute(locked).scalar_one())

    def put(self, tenant: str, name: str, body: Body, action: str) -> None:
        """Put one body in force."""
        self.put_all([(tenant, name, body)], action)

    def put_all(self, bodies: Sequence[tuple[str, str, Body]], action: str) -> None:
        """Put bodies of one kind in force."""
        changes = [
            self._next(ChangeKey(KINDS[type(body)], tenant, name), body)
            for tenant, name, body in bodies
        ]
        if changes:
            self._upsert(KIND_TABLES[changes[0].key.kind], changes)
            self._record(changes, action)

    def revoke(self, keys: Iterable[ChangeKey], action: str) -> None:
        """Take out of force what stands under the keys."""
        changes = [self._next(key, self._last_word(key)) for key in keys]
        for change in changes:
            table = KIND_TABLES[change.key.kind]
            where = (table.c.tenant == change.key.tenant) & (table.c.name == change.key.name)
            noted = {"edition": change.edition, "changed_at": self.now, "revoked_at": self.now}
            self.connection.execute(update(table).where(where).values(noted))
        self._record(changes, action)

    def _last_word(self, key: ChangeKey) -> Body | None:
        """Return what others must go on knowing of what is taken out of force.

        A certificate that were forgotten would be let in again by its authority, which may name
        devices. So it stays, valid for no time by anybody's clock.
        """
        found = self.get(key.kind, key.tenant, key.name) if key.kind == "certificate" else None
        if found is None or not isinstance(found.body, CertificateBody):
            return None
        return replace(found.body, valid_until=min(found.body.valid_from, self.now))

    def note(self, key: ChangeKey, action: str) -> None:
        """Record in the audit trail what changes nothing that others may know."""
        entry = self.get(key.kind, key.tenant, key.name)
        self._record([self._next(key, entry.body if entry else None)], action)

    def _next(self, key: ChangeKey, body: Body | None) -> Change:
        self._edition += 1
        return Change(key, self._edition, self.now, body)

    def _upsert(self, table: Table, changes: Sequence[Change]) -> None:
        dialect = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table)
        replaced = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if not column.primary_key and column.name != "created_at"
        }
        upsert = statement.on_conflict_do_update(index_elements=["tenant", "name"], set_=replaced)
        self.connection.execute(upsert, [self._row(change) for change in changes])

    def _row(self, change: Change) -> dict[str, object]:
        assert change.body is not None
        return {
            "tenant": change.key.tenant,
            "name": change.key.name,
            **rows.values(change.body),
            "edition": change.edition,
            "created_at": self.now,
            "changed_at": self.now,
            "revoked_at": None,
        }

    def _record(self, changes: Sequence[Change], action: str) -> None:
        if not changes:
            return
        noted = [
            {
                "edition": change.edition,
                "at": change.changed_at,
                "tenant": change.key.tenant,
                "kind": change.key.kind,
                "name": change.key.name,
                "actor": self._actor,
                "action": action,
                "value": _value(change),
            }
            for change in changes
        ]
        self.connection.execute(insert(CHANGES), noted)
        self.connection.execute(update(EDITION).values(newest=self._edition))


def _value(change: Change) -> bytes | None:
    """Return what is told of a change: one that Kafka does not take would hold up all others."""
    value = encode_change(change).value
    if value is not None and len(value) > LARGEST_VALUE:
        what = f"{change.key.kind.replace('_', ' ')} {change.key.name}"
        raise HeadwaterError(f"{what}: {len(value):,} bytes; the most is {LARGEST_VALUE:,}")
    return value


class Store:
    """The registry's database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._turns = Turns(engine)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Read in one transaction."""
        with self._turns.reading() as connection:
            yield Reading(connection)

    @contextmanager
    def writing(self, actor: str, now: datetime) -> Iterator[Writing]:
        """Write in one transaction; it is committed unless something is raised."""
        with self._turns.writing() as connection:
            yield Writing(connection, actor, now)

    def position(self, sink: str) -> int:
        """Return the edition up to which a sink has everything."""
        table = tables.POSITIONS
        with self.reading() as reading:
            query = select(table.c.edition).where(table.c.sink == sink)
            return int(reading.connection.execute(query).scalar() or 0)

    def positions(self) -> dict[str, int]:
        """Return every sink's position."""
        table = tables.POSITIONS
        with self.reading() as reading:
            found = reading.connection.execute(select(table.c.sink, table.c.edition))
            return {sink: edition for sink, edition in found}

    def move(self, sink: str, edition: int) -> None:
        """Say that a sink has everything up to an edition."""
        table = tables.POSITIONS
        with self._turns.writing() as connection:
            connection.execute(delete(table).where(table.c.sink == sink))
            connection.execute(insert(table).values(sink=sink, edition=edition))

    def go_behind(self, edition: int) -> int:
        """Have the next change count as newer than an edition; return the newest until now."""
        with self._turns.writing() as connection:
            known = int(connection.execute(select(EDITION.c.newest).with_for_update()).scalar_one())
            if known < edition:
                connection.execute(update(EDITION).values(newest=edition))
        return known

    def changes(self, after: int, limit: int) -> list[Mapping[str, object]]:
        """Return rows of changes behind an edition, in the order of their commits."""
        query = select(CHANGES).where(CHANGES.c.edition > after).order_by(CHANGES.c.edition)
        with self.reading() as reading:
            found = reading.connection.execute(query.limit(limit)).mappings()
            return [cast(Mapping[str, object], row) for row in found]

    def count(self, kind: Kind) -> int:
        """Count what is in force of a kind."""
        table = KIND_TABLES[kind]
        query = select(func.count()).select_from(table).where(table.c.revoked_at.is_(None))
        with self.reading() as reading:
            return int(reading.connection.execute(query).scalar_one())
