"""Sessions on disk: what a client subscribed to and still has to get, also over a kill.

Changes are collected and written in one transaction before the answers of a turn go out, so that a
SUBACK, or the commit of a command's offset, means that they are kept. SQLite's log survives the end
of the process, not the loss of power. What devices publish never comes here.
"""

import sqlite3
import sys
from itertools import count
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import Publish
from edge.mqtt.wire import V5, MqttError
from gateway.identity import Identity
from gateway.mqtt.session import NEVER, Held, Queued, Sent, Session
from telemetry.errors import HeadwaterError

MOST_KEPT = 200_000
"""Messages of all sessions; more are in memory alone."""
TABLES = """
create table if not exists sessions (
    tenant text, device_full text, client_id text, body blob not null,
    primary key (tenant, device_full, client_id)
) without rowid;
create table if not exists messages (
    number integer primary key, tenant text not null, device_full text not null,
    client_id text not null, body blob not null, packet_id integer, packet blob,
    is_released integer not null default 0
);
create index if not exists messages_of on messages (tenant, device_full, client_id);
"""
_Parameters = tuple[object, ...]


class _Body(NamedTuple):
    identity: Identity
    expiry_s: float
    ends_at: float | None
    subscriptions: list[Held]


class KeptSessions:
    """The file of sessions; `commit` makes durable what was said before."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
            self._database.executescript(TABLES)
            newest = self._database.execute("select max(number) from messages").fetchone()[0]
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        self._path = path
        self._numbers = count((newest or 0) + 1)
        self._kept = 0
        self._waiting: list[tuple[str, _Parameters]] = []
        self._is_failing = False

    @property
    def is_dirty(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._waiting)

    def commit(self) -> None:
        """Write what has come together; if the disk takes nothing, try again at the next turn."""
        try:
            self._database.execute("begin immediate")
            for statement, parameters in self._waiting:
                self._database.execute(statement, parameters)
            self._database.execute("commit")
        except sqlite3.Error as error:
            self._fail(error)
            return
        self._waiting.clear()
        self._is_failing = False

    def _fail(self, error: sqlite3.Error) -> None:
        """Go on in memory: telemetry must not wait for the sessions' disk."""
        if self._database.in_transaction:
            self._database.execute("rollback")
        if not self._is_failing:
            print(f"gateway: sessions are not kept: {error}", file=sys.stderr, flush=True)  # noqa: T201
        self._is_failing = True
        del self._waiting[MOST_KEPT:]

    def keep(self, session: Session) -> None:
        """Keep a session as it is now, without its messages."""
        ends_at = None if session.ends_at == NEVER else session.ends_at
        held = list(session.subscriptions.values())
        body = msgspec.msgpack.encode(_Body(session.identity, session.expiry_s, ends_at, held))
        self._say("insert or replace into sessions values (?, ?, ?, ?)", *_key(session), body)

    def forget(self, session: Session) -> None:
        """Forget a session and its messages."""
        where = "where tenant = ? and device_full = ? and client_id = ?"
        self._say(f"delete from sessions {where}", *_key(session))  # noqa: S608
        self._say(f"delete from messages {where}", *_key(session))  # noqa: S608
        self._kept -= sum(1 for queued in session.queue if queued.number)
        self._kept -= sum(1 for sent in session.inflight.values() if sent.number)

    def queue(self, session: Session, queued: Queued) -> Queued:
        """Keep a message for a session, and return it with its number here."""
        if self._kept >= MOST_KEPT:
            return queued
        numbered = queued._replace(number=next(self._numbers))
        body = msgspec.msgpack.encode(numbered)
        columns = "number, tenant, device_full, client_id, body"
        statement = f"insert into messages ({columns}) values (?, ?, ?, ?, ?)"  # noqa: S608
        self._say(statement, numbered.number, *_key(session), body)
        self._kept += 1
        return numbered

    def sent(self, number: int, publish: Publish) -> None:
        """Take note that a message is on its way under its packet id."""
        if number:
            statement = "update messages set packet_id = ?, packet = ? where number = ?"
            self._say(statement, publish.packet_id, encode(publish, V5), number)

    def released(self, number: int) -> None:
        """Take note of PUBREC."""
        if number:
            self._say("update messages set is_released = 1 where number = ?", number)

    def done(self, number: int) -> None:
        """Forget a message that the client has, or will never get."""
        if number:
            self._say("delete from messages where number = ?", number)
            self._kept -= 1

    def _say(self, statement: str, *parameters: object) -> None:
        self._waiting.append((statement, parameters))

    def sessions(self, now: float) -> list[Session]:
        """Return all sessions that have not ended by `now`, in seconds since 1970."""
        try:
            return self._sessions(now)
        except (sqlite3.Error, msgspec.MsgspecError, MqttError, ValueError) as error:
            raise _unusable(self._path, error) from error

    def _sessions(self, now: float) -> list[Session]:
        found: dict[tuple[str, str, str], Session] = {}
        for *_, client_id, text in self._database.execute("select * from sessions").fetchall():
            body = msgspec.msgpack.decode(text, type=_Body)
            session = Session(client_id, body.identity)
            session.expiry_s = body.expiry_s
            # A gateway that was killed had no time to say when its clients went.
            session.ends_at = now + body.expiry_s if body.ends_at is None else body.ends_at
            session.subscriptions = {one.subscription.pattern: one for one in body.subscriptions}
            if session.ends_at > now:
                found[_key(session)] = session
            else:
                self.forget(session)
        self._fill(found)
        return list(found.values())

    def _fill(self, sessions: dict[tuple[str, str, str], Session]) -> None:
        rows = self._database.execute("select * from messages order by number").fetchall()
        for number, *key, body, packet_id, packet, is_released in rows:
            session = sessions.get(cast(tuple[str, str, str], tuple(key)))
            if session is None:
                continue
            self._kept += 1
            queued = msgspec.msgpack.decode(body, type=Queued)
            if packet_id is None:
                session.wait(queued)
            else:
                ((head, rest),) = Framer().feed(packet)
                publish = cast(Publish, decode(head, rest, V5))
                down = queued.downlink
                sent = Sent(publish, False, number, down.expires_at, down.size)
                session.sent(packet_id, sent.released() if is_released else sent)

    def close(self) -> None:
        """Write the rest, and close the file."""
        if self.is_dirty:
            self.commit()
        self._database.close()


def _unusable(path: Path, error: Exception) -> HeadwaterError:
    return HeadwaterError(f"{path}: {error}: move it away to begin without")


def _key(session: Session) -> tuple[str, str, str]:
    return session.identity.tenant, session.identity.device_full, session.client_id
