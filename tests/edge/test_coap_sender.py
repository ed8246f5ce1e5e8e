"""Devices over CoAP before a gateway that promises an answer and is gone before it gives one."""

import socket
import threading
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
    """Acknowledges the first request with nothing, and answers each one after it."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = int(self.sock.getsockname()[1])
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while len(self.heard) < 2:
            data, address = self.sock.recvfrom(65_536)
            request = Message.decode(data)
            answer = Message(code=Code.CHANGED if self.heard else Code.EMPTY)
            answer.mtype, answer.mid, answer.direction = ACK, request.mid, Direction.OUTGOING
            if self.heard:
                answer.token = request.token
            self.heard.append(request.payload)
            self.sock.sendto(answer.encode(), address)


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
        return CoapSender(settled, "127.0.0.1", port, lambda name: "t", answer_within_s=0.3)

    with DeviceOutbox(opened) as outbox:
        outbox.send(OutRecord(b"d1", b"{}", []), told)
        assert outbox.flush(10) == 0

    assert (told.acknowledged, told.again) == (1, 1)
    assert forgetful.heard == [b"{}", b"{}"]
