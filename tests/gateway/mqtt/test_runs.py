"""Messages that come together are records and answers as if each had come alone."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mqtt.encoding import encode
from edge.mqtt.frames import frame
from edge.mqtt.packets import (
    PINGREQ,
    PUBCOMP,
    PUBREL,
    Ack,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Subscription,
)
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import V5, V311
from gateway.limits import Rate
from gateway.mqtt.connecting import MqttOptions
from gateway.mqtt.runs import MOST_CUT, PACKET_ID, Route, cut
from gateway.outlet import Headers, OutletError, Settle
from telemetry.accounts import PAGE_HEADER
from telemetry.encodings import encode_cbor
from tests.gateway.entrances import MESSAGE, NOW_US, House, house
from tests.gateway.mqtt.clients import BOTH, TOPIC, Broker, Client, telemetry
from tests.gateway.outlets import MemoryOutlet, Taken

MOST_BYTES = 1_000
FULL = b'{"metrics":{"full":1}}'
LOST = b'{"metrics":{"lost":1}}'
PLAIN = [MESSAGE, b'{"seq":2,"metrics":{"a":1}}', b'{"metrics":{"note":"%s"}}' % (b"x" * 200)]
STRANGE = [
    FULL,
    LOST,
    b'{"device":"d1","metrics":{"a":1}}',
    b'{"device":"d2","metrics":{"a":1}}',
    b'{"metrics":{}}',
    b'{"metrics":{"a":1},"lat":1}',
    b'{"metrics":{"note":"%s"}}' % (b"x" * MOST_BYTES),
    b'[{"metrics":{"a":1}},{"metrics":{"a":2}}]',
    b' {"metrics":{"a":1}}',
    b'{"metrics":{"a":1}}\n{"metrics":{"a":2}}',
    encode_cbor({"metrics": {"a": 1}}),
    b"{",
    b"",
]
TOPICS = ["devices/default.d1/telemetry", "devices/d1/notes", "devices/d2/telemetry", "tele/x"]
NO_PACKET_ID = frame(0x32, b"\0\x14" + TOPIC.encode() + b"\0\0" + MESSAGE)
CUT_OFF = frame(0x32, b"\0\x14" + TOPIC.encode())
LONG_LENGTH = b"\x32\xc2\x00" + frame(0x32, b"\0\x14" + TOPIC.encode() + b"\0\7" + MESSAGE)[2:]


class PickyOutlet(MemoryOutlet):
    """Is too full for some messages, loses others, and settles in either order."""

    def __init__(self, *, is_reversed: bool) -> None:
        super().__init__()
        self._is_reversed = is_reversed
        self._lost: list[Settle] = []

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        if value == FULL:
            raise OutletError("full", is_away=False, retry_after_s=2.0)
        super().send(topic, key, value, headers, settle)
        if value == LOST:
            self._lost.append(settle)

    def poll(self) -> int:
        waiting, self.waiting = self.waiting, []
        for settle in reversed(waiting) if self._is_reversed else waiting:
            settle("lost" if settle in self._lost else None, None)
        return 0


class Way(NamedTuple):
    """How the packets of each round come: apart, or together and cut at these places."""

    is_apart: bool = False
    places: tuple[int, ...] = ()
    most_routes: int = 64


class Case(NamedTuple):
    """What all ways have alike; after each round the outlet settles."""

    version: int
    rounds: list[list[bytes]]
    is_reversed: bool
    rate: Rate
    listens: bool


@dataclass(frozen=True, slots=True)
class Told:
    """All that can be seen from outside."""

    records: list[Taken]
    answers: list[Packet]
    others: list[Packet]
    is_closed: bool
    figures: str


def reads(packets: list[bytes], way: Way) -> list[bytes]:
    """Return what each read brings."""
    if way.is_apart:
        return packets
    whole = b"".join(packets)
    places = sorted({0, len(whole), *(place % (len(whole) + 1) for place in way.places)})
    return [whole[start:stop] for start, stop in pairwise(places)]


def told(case: Case, way: Way) -> Told:
    """Play a case one way."""
    outlet = PickyOutlet(is_reversed=case.is_reversed)
    place = house(is_anonymous=True, outlet=outlet, device_rate=case.rate)
    place.entrance.ingest.most_bytes = MOST_BYTES
    options = MqttOptions(receive_maximum=5, most_routes=way.most_routes)
    client = Client(Broker(place, options), case.version)
    client.connect()
    if case.listens:
        client.subscribe("devices/d1/rejects")
    heard: list[Packet] = []
    for packets in case.rounds:
        for data in reads(packets, way):
            client.send_bytes(data)
        client.broker.settle()
        heard += client.received()
    return seen(place, client, heard)


def seen(place: House, client: Client, heard: list[Packet]) -> Told:
    answers = [packet for packet in heard if isinstance(packet, Ack) and packet.kind != PUBCOMP]
    others = [packet for packet in heard if packet not in answers]
    page = place.entrance.ingest.account.page
    counted = f"taken {page.taken}, acknowledged {page.acknowledged}"
    figures = f"{place.entrance.counters.exposition()}{counted}"
    records = [
        record._replace(headers=record.headers | {PAGE_HEADER: b""})
        for record in place.outlet.taken
    ]
    return Told(records, [*answers], others, client.wire.is_closed, figures)


def publishes(*fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Packet]:
    """Build from these fields alone: `st.builds` makes up values for those with a default."""
    return st.tuples(*fields).map(lambda values: Publish(*values))


def packets(version: int) -> st.SearchStrategy[bytes]:
    """Return packets of a client, most of them plain, and bytes that are against the protocol."""
    ids = st.integers(1, 9)
    plain = publishes(st.just(TOPIC), st.sampled_from(PLAIN), st.just(1), ids)
    strange = publishes(st.just(TOPIC), st.sampled_from(STRANGE), st.just(1), ids)
    some = st.sampled_from
    properties = some([NONE, Properties(topic_alias=1), Properties(user=(("a", "b"),))])
    any_publish = publishes(
        some([TOPIC, *TOPICS]),
        some([*PLAIN, *STRANGE]),
        st.just(1),
        ids,
        st.booleans(),
        st.booleans(),
        properties if version == V5 else st.just(NONE),
    )
    other_qos = publishes(some([TOPIC, *TOPICS]), some(PLAIN), st.just(2), ids)
    silent = publishes(some([TOPIC, *TOPICS]), some([*PLAIN, *STRANGE]))
    listening = Subscribe(9, (Subscription(TOPIC, 1),))
    rest = some([Ping(PINGREQ), Ack(PUBREL, 1), Ack(PUBREL, 2), listening])
    usual = st.one_of(plain, plain, plain, plain, strange, any_publish, other_qos, silent, rest)
    broken = some([NO_PACKET_ID, CUT_OFF, LONG_LENGTH])
    encoded = usual.map(lambda packet: encode(packet, version))
    return st.integers(0, 24).flatmap(lambda number: broken if number == 0 else encoded)


def cases(version: int) -> st.SearchStrategy[Case]:
    return st.builds(
        Case,
        st.just(version),
        st.lists(st.lists(packets(version), max_size=9), min_size=1, max_size=3),
        st.booleans(),
        st.sampled_from([Rate(), Rate(), Rate(1.0, 3.0)]),
        st.booleans(),
    )


PLACES = st.lists(st.integers(0, 2_000), max_size=6).map(tuple)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([V311, V5]).flatmap(cases), PLACES)
def test_any_cut_of_any_packets_is_as_each_alone_by_the_ordinary_way(
    case: Case, places: tuple[int, ...]
) -> None:
    ordinary = told(case, Way(is_apart=True, most_routes=0))

    assert told(case, Way(places=places)) == ordinary
    assert told(case, Way(is_apart=True)) == ordinary


@BOTH
def test_a_read_of_plain_messages_is_one_write_of_answers(version: int) -> None:
    client = Client(Broker(house(is_anonymous=True)), version)
    client.connect()
    client.send(telemetry(1))

    client.send_bytes(b"".join(encode(telemetry(number), version) for number in (2, 3, 4)))
    client.broker.settle()

    assert client.wire.writes[-1] == b"@\2\0\2@\2\0\3@\2\0\4"
    assert len(client.broker.house.outlet.taken) == 4


@BOTH
def test_part_of_a_run_that_is_durable_is_answered_before_the_rest(version: int) -> None:
    client = Client(Broker(house(is_anonymous=True)), version)
    client.connect()
    client.send(telemetry(1))
    outlet = client.broker.house.outlet
    outlet.is_held = True
    client.send(telemetry(2), telemetry(3), telemetry(4))

    outlet.waiting[2](None, None)
    assert client.received() == []
    outlet.waiting[0](None, None)
    assert [answer.packet_id for answer in client.received() if isinstance(answer, Ack)] == [2]
    outlet.waiting[1](None, None)
    assert [answer.packet_id for answer in client.received() if isinstance(answer, Ack)] == [3, 4]


def test_session_that_subscribes_later_hears_what_another_one_publishes() -> None:
    broker = Broker(house(is_anonymous=True))
    speaker, listener = Client(broker), Client(broker)
    speaker.connect("c1")
    listener.connect("c2")
    speaker.send(telemetry(1), telemetry(2))

    listener.subscribe(TOPIC, qos=0)
    speaker.send(telemetry(3))

    assert [heard.payload for heard in listener.received() if isinstance(heard, Publish)] == [
        MESSAGE
    ]


def test_a_run_ends_where_the_topic_changes() -> None:
    place = house(is_anonymous=True)
    client = Client(Broker(place))
    client.connect()
    client.send(telemetry(1), Publish("devices/d1/notes", MESSAGE, 1, 2))

    client.send(
        telemetry(3), telemetry(4), Publish("devices/d1/notes", MESSAGE, 1, 5), telemetry(6)
    )

    topics = [taken.topic for taken in place.outlet.taken]
    assert topics[2:] == ["telemetry", "telemetry", "uplink", "telemetry"]
    assert {taken.headers["received_at"] for taken in place.outlet.taken} == {b"%d" % NOW_US}


@pytest.mark.parametrize("size", range(len(encode(telemetry(7), V311))))
def test_what_is_not_whole_is_left(size: int) -> None:
    head = b"\0\x14" + TOPIC.encode()
    place = house(is_anonymous=True)
    client = Client(Broker(place))
    client.connect()
    channel = place.entrance.channel(client.connection.identity, TOPIC, protocol="mqtt")
    routes = {head: Route(channel, TOPIC, head)}  # type: ignore[arg-type]
    whole = encode(telemetry(7), V311)

    found = cut(whole + whole[:size], 0, routes, PACKET_ID, MOST_CUT)

    assert found is not None
    assert found[1:] == ([b"\0\7"], [MESSAGE], len(whole))
    assert cut(whole[:size], 0, routes, PACKET_ID, MOST_CUT) is None
