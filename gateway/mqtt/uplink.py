"""What comes from the client: published once it is authorised, answered once it is durable."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial

import orjson

from edge.mqtt.encoding import encode, encode_within
from edge.mqtt.packets import PUBACK, PUBCOMP, PUBREC, Ack, Publish
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import PROTOCOL_ERROR, V5, MqttError
from gateway.channels import REJECTS_CHANNEL, own_part
from gateway.downlink import Downlink
from gateway.entrance import Foreign
from gateway.ingest import Arrival
from gateway.mqtt.aliases import Aliases
from gateway.mqtt.connecting import PROTOCOL
from gateway.mqtt.echo import as_downlink
from gateway.mqtt.link import Link
from gateway.mqtt.runs import MOST_CUT, NO_ID, PACKET_ID, Route, Run, alone, cut
from gateway.mqtt.session import Came
from gateway.outcome import Rejected
from telemetry.encodings import content_type_of
from telemetry.records import JSON

MOST_PENDING = 4_096
RESUME_AT = 1_024
RECEIVE_MAXIMUM_EXCEEDED = 0x93


class Uplink:
    """The incoming half of one connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._take = link.entrance.ingest.take
        self._take_one = link.entrance.ingest.take_one
        self.sink = link.sink
        self.account = link.entrance.ingest.account
        self.accepted = link.entrance.counters.tally("accepted", protocol=PROTOCOL)
        self._is_5 = link.version == V5
        self._skipped = PACKET_ID + self._is_5
        self._routes: dict[bytes, Route] = {}
        self._newest: Route | None = None
        """The route of the last message: most devices have one topic."""
        self._aliases = Aliases()
        self.is_paused = False
        self.unanswered = 0
        self._half: set[int] = set()
        """Packet ids of QoS 2 that have their PUBREC from here and are not released."""
        # What came by an earlier connection and is not durable has nobody to be answered by.
        given = link.session.received
        for packet_id in [each for each, came in given.items() if not came.is_durable]:
            del given[packet_id]
        self.runs: deque[Run] = deque()
        """What has no answer yet; answers go out in the order in which messages came."""

    def short(self, data: bytes, position: int, now: int) -> int:
        """Take the plain PUBLISHes at `position` as one run; return where the ordinary way begins.

        The same functions judge them here and there. What one of them speaks against is left, so
        that the ordinary way refuses it with all that belongs to that.
        """
        newest = self._newest
        if newest is not None and not position and self._alone(newest, data, now):
            return len(data)
        most = max(self._room(), 0) if self._is_5 else MOST_CUT
        found = cut(data, position, self._routes, self._skipped, most)
        if found is None:
            return position
        route, packet_ids, payloads, stop = found
        self._newest = route
        run = Run(self, packet_ids, 1, route.topic)
        count = len(payloads)
        settles = run.settles() if count > 1 else (run.settle,)
        taken = self._take(route.channel, payloads, now, settles)
        if taken < count:
            again = cut(data, position, self._routes, self._skipped, taken)
            if again is None:
                return position
            stop = again[-1]
            del packet_ids[taken:]
        self.runs.append(run)
        self.unanswered += taken
        if self.unanswered >= MOST_PENDING:
            self._bound()
        return stop

    def _alone(self, route: Route, data: bytes, now: int) -> bool:
        """Take what was read if it is a single message of the last topic: no run has to be cut."""
        skipped = self._skipped
        begin = alone(data, route.head, skipped)
        if not begin:
            return False
        packet_id = data[begin - skipped : begin - skipped + 2]
        if packet_id == NO_ID or (self._is_5 and self._room() < 1):
            return False
        run = Run(self, [packet_id], 1, route.topic)
        if not self._take_one(route.channel, data[begin:], now, run.settle):
            return False
        self.runs.append(run)
        self.unanswered += 1
        if self.unanswered >= MOST_PENDING:
            self._bound()
        return True

    def _room(self) -> int:
        """Return how many more messages may be without an answer, by MQTT 5."""
        most = self._link.receive_maximum
        if self.unanswered + len(self._half) >= most and (found := self.answers()):
            self.sink.write(found)
        return most - self.unanswered - len(self._half)

    def _bound(self) -> None:
        """Hold a client back that sends faster than its messages become durable."""
        link = self._link
        if self._is_5:
            if self._room() < 0:
                raise MqttError(RECEIVE_MAXIMUM_EXCEEDED, "more than the receive maximum")
        elif self.unanswered >= MOST_PENDING and not self.is_paused and link.sink.wire:
            self.is_paused = True
            link.sink.wire.pause()

    def answers(self) -> bytes:
        """Return the answers whose turn it is."""
        runs, found = self.runs, b""
        while runs:
            run = runs[0]
            before = run.sent
            found += run.answers()
            self.unanswered -= run.sent - before
            if run.came is not None and run.came.is_durable and run.sent > before:
                self._half.add(int.from_bytes(run.packet_ids[0]))
            if run.sent < len(run.packet_ids):
                break
            runs.popleft()
        if self.is_paused:
            self._resume()
        return found

    def _resume(self) -> None:
        wire = self._link.sink.wire
        if self.unanswered <= RESUME_AT and wire:
            self.is_paused = False
            wire.resume()

    def publish(self, publish: Publish, now: int) -> None:
        """Take any PUBLISH."""
        if publish.properties.subscription_ids:
            raise MqttError(PROTOCOL_ERROR, "a subscription identifier from a client")
        topic = self._aliases.topic(publish)
        qos, came = publish.qos, None
        if qos == 2 and (came := self._came(publish, topic)) is None:
            return
        run = Run(self, [publish.packet_id.to_bytes(2)], qos, topic, came)
        settle = run.settle
        if qos:
            self.runs.append(run)
            self.unanswered += 1
            self._bound()
        refusal = self._published(publish, topic, settle, now)
        if refusal is not None:
            settle(refusal, None)

    def _came(self, publish: Publish, topic: str) -> Came | None:
        """Take note of a message of QoS 2; None: it came before, and is answered.

        A device that lost its memory uses packet ids again that it never released. To answer its
        new message for the old one's sake would be to acknowledge what nobody has.
        """
        known, came = self._link.session.received, Came(hash((topic, publish.payload)))
        before = known.get(publish.packet_id)
        if before is not None and before.mark == came.mark:
            self._again(publish.packet_id, before)
            return None
        if before is not None and not before.is_durable:
            raise MqttError(PROTOCOL_ERROR, "the packet id of another message without its PUBREC")
        self._half.discard(publish.packet_id)
        known[publish.packet_id] = came
        return came

    def _again(self, packet_id: int, came: Came) -> None:
        """Answer a QoS 2 message that came before; while it is on its way, its answer is too."""
        if came.is_durable:
            self._half.add(packet_id)
            # What was decided before it is told before it, however the packets came.
            self.sink.write(self.answers() + encode(Ack(PUBREC, packet_id), self._link.version))

    def _published(
        self, publish: Publish, topic: str, settle: Callable[[object, object], None], now: int
    ) -> Rejected | None:
        link, identity = self._link, self._link.session.identity
        if link.entrance.is_foreign(topic):
            part = own_part(topic, identity)
            if part is not None and self._is_heard(publish, part):
                settle = partial(self._echo, publish, part, settle)
            said = Foreign(identity, topic, publish.payload, PROTOCOL)
            return link.entrance.foreign(said, now=now, settle=settle)
        content_type = content_type_of(publish.payload)
        channel = link.entrance.channel(
            identity, topic, protocol=PROTOCOL, content_type=content_type
        )
        if isinstance(channel, Rejected):
            return channel
        if self._is_heard(publish, channel.name):
            settle = partial(self._echo, publish, channel.name, settle)
        elif publish.qos == 1 and content_type == JSON and len(self._routes) < link.most_routes:
            name = topic.encode()
            head = len(name).to_bytes(2) + name
            self._routes[head] = Route(channel, topic, head)
        arrival = Arrival(channel, publish.payload, content_type)
        return link.entrance.ingest.ingest(arrival, now=now, settle=settle)

    def _is_heard(self, publish: Publish, part: str) -> bool:
        """Say whether a message is for sessions of its own device, too, of now or of later."""
        link = self._link
        return publish.retain or link.sessions.is_wanted(link.session.identity, part)

    def forget_routes(self) -> None:
        """Look again at who listens to what: a subscription has come."""
        self._routes.clear()
        self._newest = None

    def _echo(
        self,
        publish: Publish,
        part: str,
        settle: Callable[[object, object], None],
        error: object,
        message: object,
    ) -> None:
        """Hand a durable message to the device's own sessions that listen to it."""
        settle(error, message)
        if error is None:
            session = self._link.session
            heard = as_downlink(
                publish, session.identity, part, origin=session.client_id, now=time.time()
            )
            self._link.sessions.deliver(heard)

    def answer(self, run: Run, number: int, error: object) -> bytes:
        """Return the answer to a message, and tell of a refusal by receipt."""
        link, packet_id = self._link, int.from_bytes(run.packet_ids[number])
        kind = PUBREC if run.qos == 2 else PUBACK
        if error is None:
            if run.came is not None:
                run.came.is_durable = True
            return encode(Ack(kind, packet_id), link.version) if run.qos else b""
        refusal = link.entrance.ingest.unavailable(error)
        if link.session.received.get(packet_id) is run.came:
            link.session.received.pop(packet_id, None)
        self._receipt(run.topic, packet_id, refusal)
        if not run.qos:
            return b""
        if self._is_5:
            properties = Properties(reason=refusal.words) if link.wants_reasons else NONE
            return encode_within(Ack(kind, packet_id, refusal.code.mqtt, properties), link.largest)
        if refusal.is_kept:
            # Sent again it would be refused again, and its bytes are in `telemetry.dead`.
            if run.came is not None:
                run.came.is_durable = True
                link.session.received[packet_id] = run.came
            return encode(Ack(kind, packet_id), link.version)
        link.close(0, refusal.text)
        return b""

    def _receipt(self, topic: str, packet_id: int, refusal: Rejected) -> None:
        link = self._link
        identity = link.session.identity
        told = {**refusal.receipt(topic), "packet_id": packet_id}
        wanted = list(link.session.wanted(REJECTS_CHANNEL))
        if wanted:
            receipt = Downlink(
                identity.tenant,
                identity.device_full,
                REJECTS_CHANNEL,
                orjson.dumps(told),
                content_type=JSON,
            )
            link.sessions.queue(link.session, receipt, wanted, retain=False)

    def released(self, ack: Ack) -> None:
        """Take PUBREL: the packet id is free again."""
        known = self._link.session.received.pop(ack.packet_id, None)
        self._half.discard(ack.packet_id)
        code = 0x92 if known is None and self._is_5 else 0
        self._link.sink.write(encode(Ack(PUBCOMP, ack.packet_id, code), self._link.version))

    def check(self, ack: Ack) -> None:
        """Raise for a PUBREL of a message that has no PUBREC yet."""
        came = self._link.session.received.get(ack.packet_id)
        if came is not None and not came.is_durable:
            raise MqttError(PROTOCOL_ERROR, "PUBREL before PUBREC")
