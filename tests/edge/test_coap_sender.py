"""Devices over CoAP before a gateway that promises an answer, or tells them to come again."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from aiocoap import Message
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import ACK

from edge.coap_sender import CoapSender
from edge.device_outbox import DeviceOutbox, Settled
from edge.outbox import OutRecord


class Forgetful:
    """Acknowledges the first request with nothing or a refusal, and takes each one after it."""

    def __init__(self) -> None:
        self.again_s: int | None = None
        """What the first answer says of when to come again; None: it is empty."""
        self.at: list[float] = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = int(self.sock.getsockname()[1])
        self.heard: list[bytes] = []
        self.tokens: list[list[bytes]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while len(self.heard) < 2:
            data, address = self.sock.recvfrom(65_536)
            request = Message.decode(data)
            answer = self._answer()
            answer.mtype, answer.mid, answer.direction = ACK, request.mid, Direction.OUTGOING
            if answer.code is not Code.EMPTY:
                answer.token = request.token
            self.heard.append(request.payload)
            self.tokens.append([o.value for o in request.opt.option_list() if o.number == 2088])
            self.at.append(time.monotonic())
            self.sock.sendto(answer.encode(), address)

    def _answer(self) -> Message:
        if self.heard:
            return Message(code=Code.CHANGED)
        if self.again_s is None:
            return Message(code=Code.EMPTY)
        return Message(code=Code.TOO_MANY_REQUESTS, max_age=self.again_s)


class Told:
    """Counts what became of a record."""

    def __init__(self) -> None:
        self.acknowledged = self.again = 0

    def __call__(self, at: int) -> None:
        self.acknowledged += 1

    def refuse(self, reason: str) -> None:
        raise AssertionError(reason)

    def sent_again(self) -> None:
        self.again += 1


@pytest.fixture
def forgetful() -> Iterator[Forgetful]:
    made = Forgetful()
    yield made
    made.sock.close()


def test_record_that_was_to_be_answered_later_is_sent_again(forgetful: Forgetful) -> None:
    told = Told()

    def opened(settled: Settled) -> CoapSender:
        port = forgetful.port
        return CoapSender(settled, "127.0.0.1", port, lambda name: "t", answer_within_s=1.5)

    with DeviceOutbox(opened) as outbox:
        outbox.send(OutRecord(b"d1", b"{}", []), told)
        assert outbox.flush(30) == 0

    assert (told.acknowledged, told.again) == (1, 1)
    assert forgetful.heard == [b"{}", b"{}"]


def test_device_comes_again_no_sooner_than_it_was_told(forgetful: Forgetful) -> None:
    told, forgetful.again_s = Told(), 2

    with DeviceOutbox(
        lambda settled: CoapSender(settled, "127.0.0.1", forgetful.port, lambda name: "t")
    ) as outbox:
        outbox.send(OutRecord(b"d1", b"{}", []), told)
        assert outbox.flush(30) == 0

    assert (told.acknowledged, told.again) == (1, 1)
    assert 2.0 <= forgetful.at[1] - forgetful.at[0] < 30.0


def test_token_is_made_anew_for_each_attempt(forgetful: Forgetful) -> None:
    told, forgetful.again_s = Told(), 1
    tokens = iter(["before" * 100, "now"])

    with DeviceOutbox(
        lambda settled: CoapSender(settled, "127.0.0.1", forgetful.port, lambda name: next(tokens))
    ) as outbox:
        outbox.send(OutRecord(b"d1", b"{}", []), told)
        assert outbox.flush(30) == 0

    assert forgetful.tokens == [[b"before" * 100], [b"now"]]
