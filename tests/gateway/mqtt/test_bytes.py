"""MQTT at a real port, bytes in and bytes out: what no other test of the listener holds.

Answers are compared without their properties, and so without the words of a refusal.
"""

import socket
import time

import pytest

from edge.mqtt.frames import Frame, Framer, frame
from edge.mqtt.wire import V5, V311, binary, text
from tests.gateway.entrances import MESSAGE
from tests.gateway.mqtt.clients import BOTH
from tests.gateway.served import Served

PINGREQ, PONG = b"\xc0\0", (0xD0, b"")
OWN = text("devices/d1/#")
TWIN = text("devices/d1/twin")
USER = 0x80
CLEAN = 0x02
WILL = 0x04


def connect(
    version: int,
    flags: int = CLEAN | USER,
    *,
    name: str = "MQTT",
    properties: bytes = b"",
    rest: bytes = text("c1") + text("d1"),
) -> bytes:
    """Return a CONNECT; what stands behind its properties is `rest`."""
    head = text(name) + bytes((version, flags, 0, 0))
    given = bytes((len(properties),)) + properties if version == V5 else b""
    return frame(0x10, head + given + rest)


def willed(version: int, *, will: bytes = b"", topic: bytes = TWIN) -> bytes:
    """Return a CONNECT with a will; `will` are its properties."""
    given = bytes((len(will),)) + will if version == V5 else b""
    rest = text("c1") + given + topic + binary(b"1") + text("d1")
    return connect(version, CLEAN | USER | WILL, rest=rest)


def heard(served: Served, data: bytes) -> tuple[list[bytes], bool]:
    """Send bytes and a PINGREQ; return what comes, and whether the connection was closed."""
    frames: list[Frame] = []
    framer = Framer()
    with socket.create_connection(("127.0.0.1", served.port("mqtt")), 10) as sock:
        sock.sendall(data + PINGREQ)
        while PONG not in frames:
            more = sock.recv(4096)
            if not more:
                return [_short(each) for each in frames], True
            frames += framer.feed(more)
    # A PUBACK waits for its outlet and may come behind what came after its message.
    return [_short(each) for each in frames if each != PONG], False


def _short(found: Frame) -> bytes:
    head, body = found
    lengths = {0x20: 2, 0xE0: 1, 0x40: 3, 0x50: 3}
    return bytes((head,)) + body[: lengths.get(head, len(body))]


TWICE = {
    "session expiry": b"\x11\0\0\0\1",
    "receive maximum": b"\x21\0\1",
    "maximum packet size": b"\x27\0\0\xff\0",
    "topic alias maximum": b"\x22\0\1",
    "request response information": b"\x19\1",
    "request problem information": b"\x17\1",
    "authentication method": b"\x15\0\1a",
    "authentication data": b"\x16\0\1a",
}
OF_WILLS = {
    "delay": b"\x18\0\0\0\1",
    "payload format": b"\1\1",
    "message expiry": b"\2\0\0\0\1",
    "content type": b"\3\0\1a",
    "response topic": b"\x08\0\1a",
    "correlation data": b"\x09\0\1a",
}
CONNECTS: dict[str, tuple[bytes, list[bytes]]] = {
    "level 5 by another name": (connect(V5, name="MQIsdp"), [b"\x20\0\x84"]),
    "level 5 by a name in small letters": (connect(V5, name="mqtt"), [b"\x20\0\x84"]),
    "level 4 by another name": (connect(V311, name="MQIsdp"), [b"\x20\0\1"]),
    "level 3": (connect(3, name="MQIsdp"), [b"\x20\0\1"]),
    "level 6": (connect(6), [b"\x20\0\1"]),
    "no flags of a will": (connect(V311, CLEAN | USER | 0x08), []),
    "no will to retain": (connect(V311, CLEAN | USER | 0x20), []),
    "no flags of a will in 5": (connect(V5, CLEAN | USER | 0x08), [b"\x20\0\x81"]),
    "no will to retain in 5": (connect(V5, CLEAN | USER | 0x20), [b"\x20\0\x81"]),
    "a will of QoS 3": (connect(V5, CLEAN | USER | 0x1C), [b"\x20\0\x81"]),
    "a password without a user": (connect(V311, CLEAN | 0x40), []),
    "no user behind its flag": (connect(V311, rest=text("c1")), []),
    "no user behind its flag in 5": (connect(V5, rest=text("c1")), [b"\x20\0\x81"]),
    "a user without its flag": (connect(V5, CLEAN), [b"\x20\0\x81"]),
    "a client id with U+0000": (
        connect(V5, rest=b"\0\2c\0" + text("d1")),
        [b"\x20\0\x81"],
    ),
    "a user of half a letter": (connect(V5, rest=text("c1") + b"\0\1\xc3"), [b"\x20\0\x81"]),
    "a will without a topic": (willed(V5, topic=text("")), [b"\x20\0\x90"]),
    "a will without a topic in 3.1.1": (willed(V311, topic=text("")), []),
    "a will on a filter": (willed(V311, topic=text("devices/d1/+")), []),
    "a will of another": (willed(V311, topic=text("devices/d2/x")), [b"\x20\0\5"]),
    "a packet of no bytes": (connect(V5, properties=b"\x27\0\0\0\0"), [b"\x20\0\x82"]),
    "a receive maximum of 0": (connect(V5, properties=b"\x21\0\0"), [b"\x20\0\x82"]),
    "problems of 2": (connect(V5, properties=b"\x17\2"), [b"\x20\0\x82"]),
    "responses of 2": (connect(V5, properties=b"\x19\2"), [b"\x20\0\x82"]),
    "a property of messages": (connect(V5, properties=b"\x23\0\1"), [b"\x20\0\x81"]),
    "a property of nobody": (connect(V5, properties=b"\x2b\0"), [b"\x20\0\x81"]),
    "a will's format of 2": (willed(V5, will=b"\1\2"), [b"\x20\0\x82"]),
    "a will with an alias": (willed(V5, will=b"\x23\0\1"), [b"\x20\0\x81"]),
    "a will's answers to a filter": (willed(V5, will=b"\x08\0\1#"), [b"\x20\0\x82"]),
    **{f"{name} twice": (connect(V5, properties=each * 2), [b"\x20\0\x82"])
       for name, each in TWICE.items()},
    **{f"a will's {name} twice": (willed(V5, will=each * 2), [b"\x20\0\x82"])
       for name, each in OF_WILLS.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", CONNECTS)
def test_refused_connect_is_answered_in_its_version(served: Served, name: str) -> None:
    data, answers = CONNECTS[name]

    assert heard(served, data) == (answers, True)


@pytest.mark.parametrize("kind", [kind for kind in range(16) if kind != 1])
def test_first_byte_of_another_packet_ends_the_connection(served: Served, kind: int) -> None:
    """Nothing of it is waited for, nor kept: this one says that 64 KiB come."""
    assert heard(served, bytes((kind << 4,)) + b"\x80\x80\x04") == ([], True)


def message(properties: bytes, topic: bytes = TWIN, qos: int = 0) -> bytes:
    packet_id = b"\0\7" if qos else b""
    body = topic + packet_id + bytes((len(properties),)) + properties + b"1"
    return frame(0x30 | qos << 1, body)


def subscribe(properties: bytes, pattern: bytes = OWN, options: int = 0) -> bytes:
    return frame(
        0x82, b"\0\7" + bytes((len(properties),)) + properties + pattern + bytes((options,))
    )


CHALLENGE = b"\x15\0\1a"
ENDS = {
    "alias 0": (message(b"\x23\0\0"), 0x94),
    "an alias over the most": (message(b"\x23\0\x21"), 0x94),
    "an alias of nothing": (message(b"\x23\0\1", topic=b"\0\0"), 0x82),
    "an alias twice": (message(b"\x23\0\1" * 2), 0x82),
    "a format of 2": (message(b"\1\2"), 0x82),
    "a format twice": (message(b"\1\1" * 2), 0x82),
    "a time twice": (message(b"\2\0\0\0\1" * 2), 0x82),
    "a type twice": (message(b"\3\0\1a" * 2), 0x82),
    "an address twice": (message(b"\x08\0\1a" * 2), 0x82),
    "data twice": (message(b"\x09\0\1a" * 2), 0x82),
    "a subscription's number": (message(b"\x0b\1"), 0x82),
    "a delay": (message(b"\x18\0\0\0\1"), 0x81),
    "properties that break off": (message(b"\2\0\0\0"), 0x81),
    "properties longer than their packet": (frame(0x30, TWIN + b"\x7f"), 0x81),
    "DUP with QoS 0": (b"\x38" + message(b"")[1:], 0x81),
    "QoS 3": (b"\x36" + message(b"", qos=1)[1:], 0x81),
    "no packet id": (frame(0x32, TWIN), 0x81),
    "a packet id of 0": (frame(0x32, TWIN + b"\0\0\0"), 0x82),
    "a subscription of number 0": (subscribe(b"\x0b\0"), 0x82),
    "two numbers of a subscription": (subscribe(b"\x0b\1\x0b\2"), 0x82),
    "a reason in SUBSCRIBE": (subscribe(b"\x1f\0\1a"), 0x81),
    "no options": (frame(0x82, b"\0\7\0" + OWN), 0x81),
    "no-local for a group": (subscribe(b"", text("$share/g/devices/d1/x"), 4), 0x82),
    "a reason in UNSUBSCRIBE": (frame(0xA2, b"\0\7\4\x1f\0\1a" + OWN), 0x81),
    "UNSUBSCRIBE from nothing": (frame(0xA2, b"\0\7\0"), 0x82),
    "UNSUBSCRIBE from an empty filter": (frame(0xA2, b"\0\7\0\0\0"), 0x8F),
    "AUTH": (frame(0xF0, b""), 0x82),
    "AUTH to go on": (frame(0xF0, b"\x18\x04" + CHALLENGE), 0x82),
    "AUTH with a method twice": (frame(0xF0, b"\x19\x08" + CHALLENGE * 2), 0x82),
    "CONNECT again": (connect(V5), 0x82),
    "CONNACK": (frame(0x20, b"\0\0\0"), 0x82),
    "SUBACK": (frame(0x90, b"\0\7\0\0"), 0x82),
    "UNSUBACK": (frame(0xB0, b"\0\7\0\0"), 0x82),
    "PINGRESP": (b"\xd0\0", 0x82),
    "a kind that is reserved": (b"\0\0", 0x81),
    "PUBREL without its flags": (b"\x60\2\0\7", 0x81),
    "PUBACK of 0": (b"\x40\2\0\0", 0x82),
    "PUBACK that breaks off": (b"\x40\1\0", 0x81),
    "PUBACK with a reason twice": (frame(0x40, b"\0\7\0\x08" + b"\x1f\0\1a" * 2), 0x82),
    "PINGREQ with a byte": (b"\xc0\1\0", 0x81),
    "DISCONNECT with flags": (b"\xe1\0", 0x81),
    "DISCONNECT with times": (frame(0xE0, b"\0\x0a" + b"\x11\0\0\0\0" * 2), 0x82),
    "DISCONNECT that asks for a session": (frame(0xE0, b"\0\5\x11\0\0\0\1"), 0x82),
    "a packet larger than any": (b"\x30\xff\xff\xff\x7f", 0x95),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_5_ends_has_its_code(served: Served, name: str) -> None:
    data, code = ENDS[name]

    answers, is_closed = heard(served, connect(V5) + data)

    assert answers == [b"\x20\0\0", bytes((0xE0, code))]
    assert is_closed


@pytest.mark.parametrize("name", [each for each in ENDS if each.startswith(("PUB", "PING", "a k"))])
def test_what_3_1_1_ends_it_ends_without_a_word(served: Served, name: str) -> None:
    data, _ = ENDS[name]

    assert heard(served, connect(V311) + data) == ([b"\x20\0\0"], True)


GO_ON = {
    "PUBREL of an id that is not known": (b"\x62\2\0\7", b"\x70\0\7\x92", b"\x70\0\7"),
    "PUBREC of an id that is not known": (b"\x50\2\0\7", b"\x62\0\7\x92", b"\x62\0\7"),
    "PUBACK of an id that is not known": (b"\x40\2\0\7", b"", b""),
    "PUBCOMP of an id that is not known": (b"\x70\2\0\7", b"", b""),
}


@BOTH
@pytest.mark.parametrize("name", GO_ON)
def test_answer_to_nothing_is_no_error(served: Served, version: int, name: str) -> None:
    data, in_5, in_3_1_1 = GO_ON[name]
    wanted = in_5 if version == V5 else in_3_1_1

    answers, is_closed = heard(served, connect(version) + data)

    assert answers == [b"\x20\0\0"] + [wanted] * bool(wanted)
    assert not is_closed


@BOTH
def test_filters_are_answered_one_by_one(served: Served, version: int) -> None:
    patterns = ["devices/d1/twin", "devices/d2/twin", "$share/g/devices/d1/x", "devices/d1/#"]
    none = b"\0" if version == V5 else b""
    wanted = b"".join(text(each) + bytes((number % 3,)) for number, each in enumerate(patterns))
    given = b"".join(map(text, patterns))
    data = frame(0x82, b"\0\7" + none + wanted) + frame(0xA2, b"\0\x08" + none + given)

    answers, _ = heard(served, connect(version) + data)

    if version == V5:
        told = [b"\x90\0\7\0\0\x87\x9e\0", b"\xb0\0\x08\0\0\x11\x11\0"]
    else:
        told = [b"\x90\0\7\0\x80\x80\0", b"\xb0\0\x08"]
    assert answers == [b"\x20\0\0", *told]


def test_telemetry_is_there_behind_all_of_this(served: Served) -> None:
    served.house.outlet.taken.clear()
    body = text("devices/d1/telemetry") + b"\0\7" + MESSAGE

    assert heard(served, connect(V311) + frame(0x32, body))[0][0] == b"\x20\0\0"
    assert [each.value for each in served.house.outlet.taken] == [MESSAGE]


@BOTH
def test_client_that_writes_no_more_hears_its_answers(served: Served, version: int) -> None:
    none = b"\0" if version == V5 else b""
    said = [
        frame(0x32, text("devices/d1/telemetry") + bytes((0, number)) + none + MESSAGE)
        for number in (1, 2)
    ]
    served.house.outlet.is_held = True
    try:
        with socket.create_connection(("127.0.0.1", served.port("mqtt")), 10) as sock:
            sock.sendall(connect(version) + b"".join(said))
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
            served.house.outlet.is_held = False
            heard = b"".join(iter(lambda: sock.recv(4096), b""))
    finally:
        served.house.outlet.is_held = False

    assert heard.endswith(b"\x40\2\0\1\x40\2\0\2")
    assert heard[0] == 0x20


def test_client_that_is_owed_nothing_is_gone_with_its_last_byte(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port("mqtt")), 10) as sock:
        sock.sendall(connect(V311))
        sock.shutdown(socket.SHUT_WR)
        heard = b"".join(iter(lambda: sock.recv(4096), b""))

    assert heard == b"\x20\2\0\0"
