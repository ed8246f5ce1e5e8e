"""CoAP byte by byte: what RFC 7252, 7641 and 7959 ask of a server, and strangers try."""

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest
from aiocoap import Message
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import ACK, CON, NON, RST, Type
from aiocoap.optiontypes import BlockOption

from gateway.downlink import Downlink
from tests.gateway.entrances import MESSAGE
from tests.gateway.served import Served

TELEMETRY = ("devices", "d1", "telemetry")
COMMANDS = ("devices", "d1", "commands")
QUIET_S, PATIENCE_S = 0.3, 20.0


class Device:
    """A socket, and the messages that go through it."""

    def __init__(self, served: Served) -> None:
        self.outlet = served.house.outlet
        self.outlet.taken.clear()
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", served.port("coap")))
        self.mid = 100

    def send(self, message: Message, *, mid: int | None = None) -> None:
        """Send a message; without `mid` under a new one."""
        if mid is None:
            self.mid += 1
        message.mid = mid or self.mid
        message.direction = Direction.OUTGOING
        self._sock.send(message.encode())

    def send_bytes(self, data: bytes) -> None:
        self._sock.send(data)

    def heard(self, within_s: float = PATIENCE_S) -> Message | None:
        """Return the next message, None if there is none in time."""
        self._sock.settimeout(within_s)
        try:
            return Message.decode(self._sock.recv(65_536))
        except TimeoutError:
            return None

    def first(self, message: Message) -> Message:
        """Send a request, and return what comes first."""
        self.send(message)
        answer = self.heard()
        assert answer is not None
        return answer

    def asked(self, message: Message) -> Message:
        """Send a request, and return its answer: as it comes first, or by itself after a stall."""
        answer = self.first(message)
        if answer.code == Code.EMPTY and answer.mtype == ACK:
            later = self.heard()
            assert later is not None
            self.send_bytes(b"\x60\0" + later.mid.to_bytes(2))
            return later
        return answer

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def device(served: Served) -> Iterator[Device]:
    made = Device(served)
    yield made
    made.close()


def post(payload: bytes = MESSAGE, *, token: bytes = b"t", mtype: Type = CON) -> Message:
    found = Message(code=Code.POST, payload=payload, uri_path=TELEMETRY, uri_query=("u=d1",))
    found.mtype, found.token = mtype, token
    found.opt.content_format = 50
    return found


def observe(
    number: int | None = 0, token: bytes = b"o", path: tuple[str, ...] = COMMANDS
) -> Message:
    found = Message(code=Code.GET, uri_path=path, uri_query=("u=d1",))
    found.mtype, found.token, found.opt.observe = CON, token, number
    return found


@pytest.mark.parametrize("token", [b"", b"x", b"12345678"])
def test_answer_has_token_and_number_of_its_request(device: Device, token: bytes) -> None:
    answers = []
    for _ in range(5):
        answers.append(device.first(post(token=token)))
        assert (answers[-1].mtype, answers[-1].mid) == (ACK, device.mid)

    # One that the machine has stalled for comes by itself.
    assert (Code.CHANGED, token) in [(each.code, each.token) for each in answers]


def test_request_that_comes_again_is_one_row_and_has_one_answer(device: Device) -> None:
    first = device.asked(post())
    device.send(post(), mid=device.mid)

    second = device.heard()
    assert second is not None
    assert first.code == Code.CHANGED
    assert (second.mid, second.code) == (device.mid, acknowledged(first))
    assert len(device.outlet.taken) == 1


def acknowledged(answer: Message) -> Code:
    """Return the code of the acknowledgement: the answer's, unless a stall has parted them."""
    return answer.code if answer.mtype == ACK else Code.EMPTY


def test_answer_of_a_slow_store_comes_by_itself_and_once(device: Device) -> None:
    device.outlet.is_held = True
    try:
        empty = device.first(post(token=b"slow"))
        device.send(post(token=b"slow"), mid=device.mid)
        again = device.heard()
    finally:
        device.outlet.is_held = False
    assert again is not None
    assert [(each.mtype, each.code) for each in (empty, again)] == [(ACK, Code.EMPTY)] * 2
    answer = device.heard()

    assert answer is not None
    assert (answer.mtype, answer.code, answer.token) == (CON, Code.CHANGED, b"slow")
    assert len(device.outlet.taken) == 1
    device.send_bytes(b"\x60\0" + answer.mid.to_bytes(2))
    assert device.heard(QUIET_S) is None


def test_request_that_wants_no_acknowledgement_gets_none(device: Device) -> None:
    answer = device.asked(post(mtype=NON))

    assert (answer.mtype, answer.code, answer.token) == (NON, Code.CHANGED, b"t")


def test_ping_is_answered_by_reset(device: Device) -> None:
    device.send_bytes(b"\x40\0\x12\x34")
    answer = device.heard()
    assert answer is not None
    assert (answer.mtype, answer.code, answer.mid) == (RST, Code.EMPTY, 0x1234)


@pytest.mark.parametrize("option", ["if_none_match", "oscore"])
@pytest.mark.parametrize("mtype", [CON, NON])
def test_option_that_must_be_understood_is_not_left_out(
    device: Device, option: str, mtype: Type
) -> None:
    request = post(mtype=mtype)
    setattr(request.opt, option, True if option == "if_none_match" else b"x")
    device.send(request)
    answer = device.heard(PATIENCE_S if mtype is CON else QUIET_S)

    assert (answer.code if answer else None) == (Code.BAD_OPTION if mtype is CON else None)
    assert device.outlet.taken == []


def test_gateway_is_no_proxy(device: Device) -> None:
    request = Message(code=Code.GET)
    request.mtype, request.opt.proxy_uri = CON, "coap://elsewhere/x"

    assert device.asked(request).code == Code.PROXYING_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("block", "size"), [((0, True, 7), 1024), ((0, True, 2), 16), ((0, False, 0), 17)]
)
def test_block_that_has_not_its_size_is_4_00(
    device: Device, block: tuple[int, bool, int], size: int
) -> None:
    request = post(b"x" * size)
    request.opt.block1 = BlockOption.BlockwiseTuple(*block)

    assert device.asked(request).code == Code.BAD_REQUEST


def test_last_block_that_comes_again_is_one_row(device: Device) -> None:
    for number, part in enumerate((MESSAGE[:32], MESSAGE[32:])):
        request = post(part)
        request.opt.block1 = BlockOption.BlockwiseTuple(number, number == 0, 1)
        answer = device.asked(request)
    device.send(request, mid=device.mid)

    assert answer.code == Code.CHANGED
    assert (again := device.heard()) is not None
    assert again.code == acknowledged(answer)
    assert [taken.value for taken in device.outlet.taken] == [MESSAGE]


@pytest.mark.parametrize("times", [1, 2])
def test_observation_is_one_for_each_token_and_ends_when_asked(
    served: Served, device: Device, times: int
) -> None:
    async def deliver() -> int:
        return served.house.entrance.downlinks.deliver(
            Downlink("default", "d1", "commands/x", b"now")
        )

    for _ in range(times):
        assert device.asked(observe()).opt.observe is not None
    assert served.do(deliver())
    note = device.heard()
    assert note is not None
    assert (note.token, note.payload) == (b"o", b"now")
    device.send_bytes(b"\x60\0" + note.mid.to_bytes(2))
    assert device.heard(QUIET_S) is None

    assert device.asked(observe(1)).opt.observe is None
    served.do(asyncio.sleep(0.05))
    assert not served.do(deliver())


def test_refused_observation_leaves_no_trace(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answer = device.asked(observe(path=TELEMETRY))
        assert answer.code == Code.METHOD_NOT_ALLOWED
        assert device.heard(QUIET_S) is None

    assert caplog.records == []


def test_observed_post_is_a_post(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    request = post()
    request.opt.observe = 0
    with caplog.at_level(logging.WARNING):
        assert device.asked(request).code == Code.CHANGED
        assert device.heard(QUIET_S) is None

    assert caplog.records == []
    assert len(device.outlet.taken) == 1


@pytest.mark.parametrize(
    ("accept", "form", "told"),
    [
        (None, 50, b'{"a":1}'),
        (50, 50, b'{"a":1}'),
        (60, 60, b"\xa1\x61\x61\x01"),
    ],
)
def test_command_comes_in_the_form_that_is_accepted(
    served: Served, device: Device, accept: int | None, form: int, told: bytes
) -> None:
    command = Downlink("default", "d1", "commands/x", b'{"a":1}', content_type="application/json")
    asked = observe()
    asked.opt.accept = accept
    device.asked(asked)
    served.do(delivered(served, command))
    note = device.heard()
    device.send_bytes(b"\x60\0" + note.mid.to_bytes(2) if note else b"")
    again = observe(None)
    again.opt.accept = accept

    for answer in (note, device.asked(again)):
        assert answer is not None
        assert (answer.code, answer.opt.content_format, answer.payload) == (
            Code.CONTENT,
            form,
            told,
        )
    device.asked(observe(1))


def test_form_that_a_command_has_not_is_4_06_and_ends_the_observation(
    served: Served, device: Device
) -> None:
    command = Downlink("default", "d1", "commands/x", b"<a/>", content_type="application/xml")
    asked, before = observe(), len(served.house.entrance.lives)
    asked.opt.accept = 60
    device.asked(asked)
    served.do(delivered(served, command))
    note = device.heard()

    assert note is not None
    assert (note.code, note.token) == (Code.NOT_ACCEPTABLE, b"o")
    device.send_bytes(b"\x60\0" + note.mid.to_bytes(2))
    served.do(asyncio.sleep(0.1))
    assert len(served.house.entrance.lives) == before


async def delivered(served: Served, command: Downlink) -> int:
    return served.house.entrance.downlinks.deliver(command)
