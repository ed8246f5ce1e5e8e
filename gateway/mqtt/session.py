"""A session: what a client subscribed to, and what it still has to get, also while it is away."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edge.mqtt.packets import Publish, Subscription, Will
from edge.mqtt.properties import NONE
from edge.mqtt.topics import matches_levels
from gateway.downlink import Downlink
from gateway.identity import Identity
from gateway.mqtt.clock_steps import Step
from gateway.mqtt.room import OVERHEAD, Room

if TYPE_CHECKING:
    from gateway.mqtt.kept import KeptSessions

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
    size: int = 0
    """Bytes that it holds."""

    def released(self) -> "Sent":
        """Return it once the client has it: its packet id is all that is still of use."""
        publish = self.publish._replace(payload=b"", properties=NONE)
        return self._replace(publish=publish, is_released=True, size=0)


@dataclass(slots=True, eq=False)
class Came:
    """A message of QoS 2 that came from the client, which has not released it yet."""

    mark: int
    """Tells its topic and payload from those of another message under the same packet id."""
    is_durable: bool = False


class Link(Protocol):
    """The connection that a session has for now."""

    heard_at: int
    """When the client was last heard, in epoch microseconds."""

    def pump(self) -> None:
        """Send what the session has queued, as far as the client takes more."""

    def taken_over(self) -> None:
        """Close: the client has come by another connection."""

    def crowded_out(self) -> None:
        """Close: the device has too many connections, and this one is silent for longest."""

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
        "room",
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
        self.room = Room()
        """What it counts in: its own, until it is one of all sessions."""
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
        self.room.waiting += queued.downlink.size + OVERHEAD

    def first(self) -> Queued:
        """Take the message that has waited for longest."""
        queued = self.queue.popleft()
        self.queued_bytes -= queued.downlink.size
        self.room.waiting -= queued.downlink.size + OVERHEAD
        return queued

    def sent(self, packet_id: int, sent: Sent) -> None:
        """Take note of a message that the client has to confirm, or that it has confirmed half."""
        self.confirmed(packet_id)
        self.inflight[packet_id] = sent
        self.room.on_way += sent.size + OVERHEAD

    def confirmed(self, packet_id: int) -> None:
        """Forget a message that was sent."""
        gone = self.inflight.pop(packet_id, None)
        if gone is not None:
            self.room.on_way -= gone.size + OVERHEAD

    def move(self, room: Room) -> None:
        """Count in another room from now on."""
        waiting = self.queued_bytes + OVERHEAD * len(self.queue)
        on_way = sum(each.size + OVERHEAD for each in self.inflight.values())
        for each, sign in ((self.room, -1), (room, 1)):
            each.waiting += sign * waiting
            each.on_way += sign * on_way
        self.room = room

    def set_clock(self, step: Step) -> None:
        """Have what is due once it has been away for so long be due after as long a time."""
        left_us = (self.ends_at - self.expiry_s) * 1_000_000
        if self.ends_at != NEVER and step.is_before(left_us):
            by_s = step.by_us / 1_000_000
            self.ends_at += by_s
            self.will_at += by_s

    @property
    def waiting(self) -> int:
        """How many messages wait to be sent."""
        return len(self.queue)

    def wanted(self, part: str, origin: str | None = None) -> Iterator[Held]:
        """Yield the subscriptions that want a message."""
        for held in self.subscriptions.values():
            is_own = held.subscription.no_local and origin == self.client_id
            if not is_own and matches_levels(held.part, part):
                yield held
