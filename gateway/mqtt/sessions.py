"""Sessions: what a client subscribed to, and what it still has to get, also while it is away."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edge.mqtt.packets import Publish, Subscription, Will
from edge.mqtt.topics import matches_levels
from gateway.channels import own_part
from gateway.counters import Counters
from gateway.downlink import Downlink
from gateway.identity import Identity

if TYPE_CHECKING:
    from gateway.mqtt.kept import KeptSessions

MOST_QUEUED = 1_000
MOST_QUEUED_BYTES = 8 * 1024 * 1024
"""Of a session's messages: what a device says to itself may be 256 KiB each."""
MOST_RETAINED = 100
MOST_RETAINED_BYTES = 1024 * 1024
"""Of a device's messages."""
MOST_SESSIONS_OF_DEVICE = 16
NEVER = float("inf")


class Held(NamedTuple):
    """A subscription, with the part of the device's subtree that it asks for."""

    subscription: Subscription
    part: str
    identifier: int | None


class Queued(NamedTuple):
    """A message on its way to a client."""

    downlink: Downlink
    topic: str
    qos: int
    identifiers: tuple[int, ...]
    retain: bool
    number: int = 0
    """Its number on disk, 0 where it is not there."""


class Sent(NamedTuple):
    """A message that the client has not confirmed; `is_released` once PUBREC has come."""

    publish: Publish
    is_released: bool = False
    number: int = 0
    expires_at: float | None = None


@dataclass(slots=True, eq=False)
class Came:
    """A message of QoS 2 that came from the client, which has not released it yet."""

    mark: int
    """Tells its topic and payload from those of another message under the same packet id."""
    is_durable: bool = False


class Link(Protocol):
    """The connection that a session has for now."""

    def pump(self) -> None:
        """Send what the session has queued, as far as the client takes more."""

    def taken_over(self) -> None:
        """Close: the client has come by another connection."""

    def forget_routes(self) -> None:
        """Look again at who listens to what the client publishes."""


class Session:
    """State that outlives a connection."""

    __slots__ = (
        "client_id",
        "ends_at",
        "expiry_s",
        "identity",
        "inflight",
        "kept",
        "link",
        "next_id",
        "queue",
        "queued_bytes",
        "received",
        "subscriptions",
        "will",
        "will_at",
    )

    def __init__(self, client_id: str, identity: Identity) -> None:
        self.client_id = client_id
        self.identity = identity
        self.subscriptions: dict[str, Held] = {}
        self.queue: deque[Queued] = deque()
        self.queued_bytes = 0
        self.inflight: OrderedDict[int, Sent] = OrderedDict()
        self.received: dict[int, Came] = {}
        """Messages of QoS 2 by their packet ids."""
        self.expiry_s = 0.0
        self.ends_at = NEVER
        self.link: Link | None = None
        self.kept: KeptSessions | None = None
        """Where it is kept on disk, None for one that ends with its connection."""
        self.next_id = 0
        self.will: Will | None = None
        self.will_at = NEVER

    def packet_id(self) -> int:
        """Return an id that no message on its way has."""
        while True:
            self.next_id = self.next_id % 65_535 + 1
            if self.next_id not in self.inflight:
                return self.next_id

    def wait(self, queued: Queued) -> None:
        """Have a message wait for the client behind all others."""
        self.queue.append(queued)
        self.queued_bytes += queued.downlink.size

    def first(self) -> Queued:
        """Take the message that has waited for longest."""
        queued = self.queue.popleft()
        self.queued_bytes -= queued.downlink.size
        return queued

    def wanted(self, part: str, origin: str | None = None) -> Iterator[Held]:
        """Yield the subscriptions that want a message."""
        for held in self.subscriptions.values():
            is_own = held.subscription.no_local and origin == self.client_id
            if not is_own and matches_levels(held.part, part):
                yield held


class Sessions:
    """All sessions, by device and client id."""

    def __init__(self, counters: Counters, kept: "KeptSessions | None" = None) -> None:
        """Keep sessions that outlive a connection in `kept`, where it is given."""
        self.kept = kept
        self._by_device: dict[tuple[str, str], dict[str, Session]] = {}
        self._retained: dict[tuple[str, str], dict[str, Downlink]] = {}
        self._counters = counters

    def __iter__(self) -> Iterator[Session]:
        for sessions in list(self._by_device.values()):
            yield from list(sessions.values())

    def __len__(self) -> int:
        return sum(len(sessions) for sessions in self._by_device.values())

    def of(self, identity: Identity) -> dict[str, Session]:
        """Return a device's sessions by client id."""
        return self._by_device.get((identity.tenant, identity.device_full), {})

    def add(self, session: Session) -> Session | None:
        """Keep a session; return the one away for longest, which a device with too many loses."""
        key = (session.identity.tenant, session.identity.device_full)
        sessions = self._by_device.setdefault(key, {})
        sessions[session.client_id] = session
        self.changed(session)
        if len(sessions) > MOST_SESSIONS_OF_DEVICE:
            away = [each for each in sessions.values() if each.link is None]
            oldest = min(away, key=lambda each: each.ends_at, default=None)
            if oldest is not None:
                self.remove(oldest)
            return oldest
        return None

    def restore(self, now: float) -> None:
        """Take up what an earlier gateway left on disk."""
        for session in self.kept.sessions(now) if self.kept else ():
            session.kept = self.kept
            key = (session.identity.tenant, session.identity.device_full)
            self._by_device.setdefault(key, {})[session.client_id] = session

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
            self._retain(key, downlink)
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
        kept = session.kept
        session.wait(kept.queue(session, queued) if kept and qos else queued)
        while len(session.queue) > MOST_QUEUED or session.queued_bytes > MOST_QUEUED_BYTES:
            dropped = session.first()
            if kept:
                kept.done(dropped.number)
            self._counters.add("downlinks", channel="dropped")
        if session.link is not None:
            session.link.pump()

    def _retain(self, key: tuple[str, str], downlink: Downlink) -> None:
        kept = self._retained.setdefault(key, {})
        kept.pop(downlink.part, None)
        if downlink.payload:
            kept[downlink.part] = downlink
        held = sum(each.size for each in kept.values())
        while len(kept) > MOST_RETAINED or held > MOST_RETAINED_BYTES:
            held -= kept.pop(next(iter(kept))).size
        if not kept:
            del self._retained[key]

    def retained(self, session: Session, held: Held) -> None:
        """Queue what is retained for a new subscription."""
        key = (session.identity.tenant, session.identity.device_full)
        for part, downlink in list(self._retained.get(key, {}).items()):
            is_own = held.subscription.no_local and downlink.origin == session.client_id
            if not is_own and matches_levels(held.part, part):
                self.queue(session, downlink, [held], retain=True)


def held(subscription: Subscription, identity: Identity, identifier: int | None) -> Held | None:
    """Return a subscription below the device's own root, None for any other."""
    part = own_part(subscription.pattern, identity)
    return None if part is None else Held(subscription, part, identifier)
