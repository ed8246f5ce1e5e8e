"""Requests that come again: answered alike, for a time and within a bound."""

import asyncio
import gc
import logging
import weakref
from typing import NamedTuple

from aiocoap import Message
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import CON, NON, Type

from gateway.coap.recent import Messages

KEPT_S = 100.0


class Remote(NamedTuple):
    """Another end."""

    name: str
    is_multicast: bool = False
    is_multicast_locally: bool = False

    def as_response_address(self) -> "Remote":
        return self


class Site:
    """What stands above and below: answers each request at once, and keeps what is sent."""

    def __init__(self, most: int = 10) -> None:
        self.log = logging.getLogger("coap-server")
        self.loop = asyncio.get_running_loop()
        self.now = 0.0
        self.served = 0
        self.sent: list[bytes] = []
        self.messages = Messages(self, kept_s=KEPT_S, most=most, clock=lambda: self.now)
        self.messages.message_interface = self

    def process_request(self, request: Message) -> None:
        self.served += 1
        answer = Message(code=Code.CHANGED, payload=b"%d" % self.served)
        answer.token, answer.remote, answer.request = request.token, request.remote, request
        self.messages.send_message(answer, lambda: None)

    def send(self, message: Message) -> None:
        self.sent.append(message.encode())

    def send_bytes(self, data: bytes, _remote: Remote) -> None:
        self.sent.append(data)

    def take(
        self, mid: int, *, remote: str = "a", mtype: Type = CON, token: bytes = b"t", **said: object
    ) -> Message:
        """Have a request come in."""
        request = Message(**{"code": Code.POST, "payload": b"x" * 1_000} | said)
        request.mtype, request.mid, request.token = mtype, mid, token
        request.remote, request.direction = Remote(remote), Direction.INCOMING
        self.messages.dispatch_message(request)
        return request


def test_request_that_comes_again_has_the_first_answer_and_is_served_once() -> None:
    async def play() -> None:
        site = Site()
        for mid, remote in ((1, "a"), (1, "a"), (1, "b"), (2, "a"), (1, "a")):
            site.take(mid, remote=remote)
        assert site.served == 3
        assert [sent[-1:] for sent in site.sent] == [b"1", b"1", b"2", b"3", b"1"]

    asyncio.run(play())


def test_another_request_under_a_known_number_is_a_new_one() -> None:
    async def play() -> None:
        site = Site()
        site.take(1)
        for count, said in enumerate(
            ({"payload": b"y"}, {"token": b"u"}, {"code": Code.GET}, {"uri_query": ("u=d2",)}), 2
        ):
            for _ in range(2):
                site.take(1, **said)
            assert site.served == count
            assert site.sent[-2:] == [site.sent[-1]] * 2
        assert len(site.messages) == 1

    asyncio.run(play())


def test_what_asks_for_no_acknowledgement_is_served_once_and_not_answered_again() -> None:
    async def play() -> None:
        site = Site()
        for _ in range(2):
            site.take(1, mtype=NON)
        assert (site.served, len(site.sent)) == (1, 1)

    asyncio.run(play())


def test_number_is_another_requests_once_its_time_is_over() -> None:
    async def play() -> None:
        site = Site()
        site.take(1)
        site.now = KEPT_S - 1
        site.take(1)
        assert site.served == 1
        site.now = KEPT_S
        site.take(1)
        assert (site.served, len(site.messages)) == (2, 1)

    asyncio.run(play())


def test_memory_of_them_is_bounded_and_the_oldest_goes_first() -> None:
    async def play() -> None:
        site = Site(most=3)
        for mid in range(5):
            site.take(mid)
        assert len(site.messages) == 3
        site.take(4)
        assert site.served == 5
        site.take(0)
        assert site.served == 6

    asyncio.run(play())


def test_nothing_of_a_request_is_kept_once_it_is_answered() -> None:
    async def play() -> None:
        site = Site()
        request = weakref.ref(site.take(1))
        gc.collect()
        assert request() is None
        assert len(site.messages) == 1

    asyncio.run(play())
