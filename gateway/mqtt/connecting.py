"""CONNECT: who comes, which session it has, and what the CONNACK says."""

import time
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

from edge.mqtt.encoding import encode
from edge.mqtt.packets import Connack, Connect, Will
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import LONGEST, V5
from gateway.channels import OWN_WORDS, own_part
from gateway.downlink import Downlink
from gateway.entrance import Entrance, Foreign
from gateway.identity import Identity, Presented
from gateway.ingest import Arrival
from gateway.mqtt.echo import as_downlink
from gateway.mqtt.session import NEVER, Session
from gateway.mqtt.sessions import Sessions
from gateway.outcome import Rejected
from gateway.rules import BELOW_ROOT, translate
from gateway.standing import standing
from telemetry.credentials import is_signed
from telemetry.encodings import content_type_of

PROTOCOL = "mqtt"
FOREVER_S = 0xFFFF_FFFF
RECEIVE_MAXIMUM = 1_000
ALIAS_MAXIMUM = 32
MOST_ROUTES = 64
CONSUMER = ("durability", "consumer")
"""What CONNACK says to a device whose messages wait for one replica alone."""
MOST_CONNECTIONS = 1_000
OVERHEAD_BYTES = 64 * 1024
"""A packet may have so many bytes beside its payload: topic and properties."""

BAD_CLIENT_ID = (2, 0x85)
BAD_CREDENTIALS = (4, 0x86)
NOT_AUTHORISED = (5, 0x87)
UNAVAILABLE = (3, 0x88)
BAD_METHOD = (5, 0x8C)
TOO_SMALL = (3, 0x95)


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """What this listener asks of its clients."""

    longest_keep_alive_s: int = 1_200
    longest_session_s: int = 7 * 24 * 3600
    receive_maximum: int = RECEIVE_MAXIMUM
    connect_within_s: float = 10.0
    most_routes: int = MOST_ROUTES
    """Topics that a connection knows for the short way; 0: each message takes the ordinary one."""
    most_connections: int = MOST_CONNECTIONS
    """Of a device at once."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection, as the transport knows it."""

    address: str = ""
    certificate: bytes | None = None
    is_tls: bool = False


class Admitted(NamedTuple):
    """A client that may go on."""

    session: Session
    connack: Connack
    keep_alive_s: int


class Refusal(NamedTuple):
    """What a client that may not go on is told."""

    connack: Connack


@dataclass(frozen=True, slots=True)
class Desk:
    """Decides on CONNECTs."""

    entrance: Entrance
    sessions: Sessions
    options: MqttOptions

    def admit(self, connect: Connect, peer: Peer, *, now: float) -> Admitted | Refusal:
        """Let a client in with its session, or say why not."""
        is_5 = connect.version == V5
        if not connect.client_id and not is_5 and not connect.clean:
            why = "an empty client id needs a clean session"
            return self._refused(connect, BAD_CLIENT_ID, why, "client_id")
        if connect.properties.authentication_method is not None:
            return self._refused(connect, BAD_METHOD, "no such authentication method", "method")
        identity = self._identity(connect, peer, now)
        if isinstance(identity, Rejected):
            return _refusal(connect, BAD_CREDENTIALS, identity.words)
        if connect.will and not self._may_leave(connect.will, identity):
            why = f"the will's topic {connect.will.topic!r}"
            return self._refused(connect, NOT_AUTHORISED, why, "will")
        assigned = None if connect.client_id else f"auto-{uuid4().hex}"
        keep_alive_s = self._keep_alive_s(connect)
        properties = self._properties(connect, identity, assigned, keep_alive_s) if is_5 else NONE
        connack = Connack(0, properties=properties)
        if len(encode(connack, connect.version)) > largest_packet(connect):
            why = "CONNACK is larger than the client takes"
            return self._refused(connect, TOO_SMALL, why, "packet_size")
        session, is_present = self._session(connect, identity, assigned)
        return Admitted(session, connack._replace(session_present=is_present), keep_alive_s)

    def _refused(
        self, connect: Connect, codes: tuple[int, int], why: str, counted_as: str
    ) -> Refusal:
        """Refuse somebody for other things than a credential, which is counted where it is held."""
        self.entrance.counters.add("connect_refusals", protocol=PROTOCOL, reason=counted_as)
        return _refusal(connect, codes, why)

    def leave(self, session: Session, *, is_willed: bool) -> None:
        """Have a session wait for its client, or end at once."""
        now = time.time()
        session.ends_at = now + session.expiry_s
        delay_s = session.will.properties.will_delay_s or 0 if session.will else 0
        session.will_at = now + min(delay_s, session.expiry_s) if is_willed else NEVER
        if not is_willed:
            session.will = None
        self.sessions.changed(session)
        self.settle(session, now)

    def settle(self, session: Session, now: float) -> None:
        """Publish the will whose time has come, and forget a session that has ended."""
        if session.link is not None:
            return
        will, is_over = session.will, session.ends_at <= now
        if will is not None and (session.will_at <= now or is_over):
            session.will = None
            self.publish_will(session, will, now)
        if is_over:
            self.sessions.remove(session)

    def publish_will(self, session: Session, will: Will, now: float) -> None:
        """Publish a will by the path of every message; nobody is there to be answered.

        What its client came in by may have been revoked since: then nothing of it is told any more.
        """
        if standing(session.identity, self.entrance.directory) is None:
            return
        if self.entrance.is_foreign(will.topic):
            self._publish_foreign(session, will, now)
            return
        content_type = content_type_of(will.payload)
        channel = self.entrance.channel(
            session.identity, will.topic, protocol=PROTOCOL, content_type=content_type
        )
        if isinstance(channel, Rejected):
            return
        echo = self._echo(session, will, channel.name, now)

        def settled(error: object, _message: object) -> None:
            if error is None:
                self.sessions.deliver(echo)

        arrival = Arrival(channel, will.payload, content_type)
        self.entrance.ingest.ingest(arrival, now=int(now * 1_000_000), settle=settled)

    def _echo(self, session: Session, will: Will, part: str, now: float) -> Downlink:
        return as_downlink(will, session.identity, part, origin=session.client_id, now=now)

    def _publish_foreign(self, session: Session, will: Will, now: float) -> None:
        page, part = self.entrance.ingest.account.page, own_part(will.topic, session.identity)
        echo = None if part is None else self._echo(session, will, part, now)

        def settled(error: object, _message: object) -> None:
            if error is None:
                # As for any message that is acknowledged: what a condition leaves out is taken off.
                page.acknowledged += 1
                if echo is not None:
                    self.sessions.deliver(echo)

        said = Foreign(session.identity, will.topic, will.payload, PROTOCOL)
        self.entrance.foreign(said, now=int(now * 1_000_000), settle=settled)

    def _may_leave(self, will: Will, identity: Identity) -> bool:
        """Say whether a device may publish a will: below itself, or where a rule lets it speak."""
        is_below = will.topic.startswith(BELOW_ROOT)
        if self.entrance.is_foreign(will.topic) and not is_below:
            found = translate(self.entrance.rules, identity, will.topic, will.payload)
            if isinstance(found, Rejected):
                # What cannot be read is kept in `telemetry.dead`, as it is of any message.
                return found.reason == "undecodable"
            return found is not None
        return own_part(will.topic, identity) not in (None, *OWN_WORDS)

    def _identity(self, connect: Connect, peer: Peer, now: float) -> Identity | Rejected:
        password = connect.password
        presented = Presented(
            client_id=connect.client_id,
            username=connect.username,
            password=None if password is None else password.decode("utf-8", "replace"),
            certificate=peer.certificate,
            address=peer.address,
            is_tls=peer.is_tls,
        )
        return self.entrance.login(presented, protocol=PROTOCOL, now=now)

    def _session(
        self, connect: Connect, identity: Identity, assigned: str | None
    ) -> tuple[Session, bool]:
        client_id = assigned or _own_name(connect.client_id)
        before = self.sessions.of(identity).get(client_id)
        if before is not None:
            if before.link is not None:
                before.link.taken_over()
            # What was due since the last look at the clock is done first.
            self.settle(before, time.time())
            before = self.sessions.of(identity).get(client_id)
        self._make_room(identity)
        is_present = before is not None and not connect.clean
        if before is None or connect.clean:
            if before is not None:
                self._end(before)
            session = Session(client_id, identity)
        else:
            session = before
            self.sessions.renew(session, identity)
        session.expiry_s = self._expiry_s(connect)
        session.ends_at = session.will_at = NEVER
        session.will = connect.will
        for gone in self.sessions.add(session):
            if gone.will is not None:
                self.publish_will(gone, gone.will, time.time())
        return session, is_present

    def _make_room(self, identity: Identity) -> None:
        """Close the connection silent for longest of a device that has as many as it may.

        One that comes back by ever new client ids leaves half-open ones behind, which go first.
        """
        of_device = self.sessions.of(identity).values()
        links = [each.link for each in of_device if each.link is not None]
        if len(links) >= self.options.most_connections:
            min(links, key=lambda link: link.heard_at).crowded_out()

    def _end(self, session: Session) -> None:
        """End a session before its time, which is when a will that is delayed is due."""
        if session.will is not None:
            self.publish_will(session, session.will, time.time())
        self.sessions.remove(session)

    def _expiry_s(self, connect: Connect) -> float:
        if connect.version == V5:
            return float(
                min(connect.properties.session_expiry_s or 0, self.options.longest_session_s)
            )
        return 0.0 if connect.clean else float(self.options.longest_session_s)

    def _keep_alive_s(self, connect: Connect) -> int:
        longest = self.options.longest_keep_alive_s
        if connect.version != V5:
            return connect.keep_alive_s
        return min(connect.keep_alive_s or longest, longest)

    def _properties(
        self, connect: Connect, identity: Identity, assigned: str | None, keep_alive_s: int
    ) -> Properties:
        wanted_s = connect.properties.session_expiry_s or 0
        expiry_s = self._expiry_s(connect)
        return Properties(
            assigned_client_id=assigned,
            session_expiry_s=None if expiry_s == wanted_s else int(expiry_s),
            receive_maximum=self.options.receive_maximum,
            topic_alias_maximum=ALIAS_MAXIMUM,
            maximum_packet_size=self.entrance.ingest.most_bytes + OVERHEAD_BYTES,
            shared_available=0,
            user=(CONSUMER,) if identity.durability == "consumer" else (),
            server_keep_alive_s=None if keep_alive_s == connect.keep_alive_s else keep_alive_s,
        )


def _own_name(client_id: str) -> str:
    """Return a client's own name: of a signed login, whose time is another each time, its id."""
    return client_id.split("|", 1)[0] if is_signed(client_id) else client_id


def largest_packet(connect: Connect) -> int:
    """Return the most bytes of a packet that a client takes."""
    return connect.properties.maximum_packet_size or LONGEST


def _refusal(connect: Connect, codes: tuple[int, int], reason: str) -> Refusal:
    if connect.version != V5:
        return Refusal(Connack(codes[0]))
    return Refusal(Connack(codes[1], properties=Properties(reason=reason[:200])))
