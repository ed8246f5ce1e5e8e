"""All sessions: which ones want a message, and how much waits for them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

from edge.mqtt.packets import Subscription
from edge.mqtt.topics import matches_levels
from gateway.channels import RECEIPTS_CHANNEL, own_part
from gateway.counters import Counters
from gateway.downlink import Downlink
from gateway.identity import Identity
from gateway.mqtt.retained import Retained
from gateway.mqtt.room import OVERHEAD, Room
from gateway.mqtt.session import Held, Queued, Session
from telemetry.records import JSON

if TYPE_CHECKING:
    from gateway.mqtt.kept import KeptSessions

MOST_QUEUED = 1_000
MOST_QUEUED_BYTES = 8 * 1024 * 1024
"""Of a session's messages: what a device says to itself may be 256 KiB each."""
MOST_SESSIONS_OF_DEVICE = 16


class Sessions:
    """All sessions, by device and client id."""

    def __init__(
        self,
        counters: Counters,
        kept: "KeptSessions | None" = None,
        *,
        room: Room | None = None,
    ) -> None:
        """Keep sessions that outlive a connection in `kept`, where it is given."""
        self.kept = kept
        self.room = room or Room()
        self._by_device: dict[tuple[str, str], dict[str, Session]] = {}
        self._retained = Retained(counters)
        self._counters = counters

    def __iter__(self) -> Iterator[Session]:
        for sessions in list(self._by_device.values()):
            yield from list(sessions.values())

    def __len__(self) -> int:
        return sum(len(sessions) for sessions in self._by_device.values())

    def of(self, identity: Identity) -> dict[str, Session]:
        """Return a device's sessions by client id."""
        return self._by_device.get((identity.tenant, identity.device_full), {})

    def add(self, session: Session) -> list[Session]:
        """Keep a session; return those away for longest, which a device with too many loses."""
        key = (session.identity.tenant, session.identity.device_full)
        sessions = self._by_device.setdefault(key, {})
        sessions[session.client_id] = session
        session.move(self.room)
        self.changed(session)
        # Of those that are connected none goes: once they are away they may be many.
        away = [each for each in sessions.values() if each.link is None and each is not session]
        away.sort(key=lambda each: each.ends_at)
        gone = away[: max(len(sessions) - MOST_SESSIONS_OF_DEVICE, 0)]
        for each in gone:
            self.remove(each)
        return gone

    def restore(self, now: float) -> None:
        """Take up what an earlier gateway left on disk."""
        for session in self.kept.sessions(now) if self.kept else ():
            session.kept = self.kept
            session.move(self.room)
            key = (session.identity.tenant, session.identity.device_full)
            self._by_device.setdefault(key, {})[session.client_id] = session
        self._has_room(0)

    def changed(self, session: Session) -> None:
        """Keep what a session is now; one that has no life beyond its connection is not kept."""
        if self.kept is not None and session.expiry_s:
            session.kept = self.kept
            self.kept.keep(session)
        elif session.kept is not None:
            session.kept.forget(session)
            session.kept = None

    def commit(self) -> None:
        """Have disk know what is about to be told."""
        if self.kept is not None and self.kept.is_dirty:
            self.kept.commit()

    def remove(self, session: Session) -> None:
        """Forget a session."""
        if session.kept is not None:
            session.kept.forget(session)
            session.kept = None
        session.move(Room())
        key = (session.identity.tenant, session.identity.device_full)
        sessions = self._by_device.get(key, {})
        if sessions.get(session.client_id) is session:
            del sessions[session.client_id]
            if not sessions:
                del self._by_device[key]

    def is_wanted(self, identity: Identity, part: str) -> bool:
        """Say whether any session of the device listens to a part of its subtree."""
        sessions = self.of(identity).values()
        return any(True for session in sessions for _ in session.wanted(part))

    def deliver(self, downlink: Downlink) -> bool:
        """Queue a message for each session of its device that wants it."""
        key = (downlink.tenant, downlink.device_full)
        if downlink.retain:
            self._retained.keep(key, downlink)
        found = False
        for session in list(self._by_device.get(key, {}).values()):
            held = list(session.wanted(downlink.part, downlink.origin))
            if held:
                found = True
                as_published = any(each.subscription.retain_as_published for each in held)
                self.queue(session, downlink, held, retain=downlink.retain and as_published)
        return found

    def queue(
        self, session: Session, downlink: Downlink, held: list[Held], *, retain: bool
    ) -> None:
        """Queue one message for a session, once for all subscriptions that want it."""
        qos = min(max(each.subscription.qos for each in held), downlink.qos)
        if not qos and session.link is None:
            return
        pattern = held[0].subscription.pattern
        root = pattern[: len(pattern) - len(held[0].part)]
        identifiers = tuple(each.identifier for each in held if each.identifier)
        queued = Queued(downlink, root + downlink.part, qos, identifiers, retain)
        if not self._has_room(downlink.size + OVERHEAD):
            self._counters.add("downlinks", channel="no_room")
            return
        kept = session.kept
        session.wait(kept.queue(session, queued) if kept and qos else queued)
        while len(session.queue) > MOST_QUEUED or session.queued_bytes > MOST_QUEUED_BYTES:
            self._drop(session, "dropped")
        if session.link is not None:
            session.link.pump()

    def _has_room(self, size: int) -> bool:
        """Say whether so many bytes more may wait, once the largest sessions have made room."""
        return self.room.shed(size, self, lambda session: self._drop(session, "no_room"))

    def _drop(self, session: Session, why: str) -> None:
        dropped = session.first()
        if session.kept:
            session.kept.done(dropped.number)
        self._counters.add("downlinks", channel=why)

    def renew(self, session: Session, identity: Identity) -> None:
        """Have a session go on as its device is now, and tell it of another durability class."""
        before, session.identity = session.identity, identity
        if before.durability != identity.durability and (
            wanted := list(session.wanted(RECEIPTS_CHANNEL))
        ):
            self.queue(session, class_of(identity), wanted, retain=False)

    def retained(self, session: Session, held: Held) -> None:
        """Queue what is retained for a new subscription, and that its device is of class consumer.

        MQTT 5 says that in CONNACK, and 3.1.1 has no other word for it.
        """
        is_consumer = session.identity.durability == "consumer"
        if is_consumer and matches_levels(held.part, RECEIPTS_CHANNEL):
            self.queue(session, class_of(session.identity), [held], retain=True)
        key = (session.identity.tenant, session.identity.device_full)
        for downlink in self._retained.matching(key, held.part):
            is_own = held.subscription.no_local and downlink.origin == session.client_id
            if not is_own:
                self.queue(session, downlink, [held], retain=True)


def class_of(identity: Identity) -> Downlink:
    """Return what a session is told of how durable its acknowledged messages are."""
    told = orjson.dumps({"durability": identity.durability})
    return Downlink(
        identity.tenant, identity.device_full, RECEIPTS_CHANNEL, told, content_type=JSON
    )


def held(subscription: Subscription, identity: Identity, identifier: int | None) -> Held | None:
    """Return a subscription below the device's own root, None for any other."""
    part = own_part(subscription.pattern, identity)
    return None if part is None else Held(subscription, part, identifier)
