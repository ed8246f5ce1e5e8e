"""Requests block by block: put together, and bounded in size and number."""

from dataclasses import dataclass

import pytest
from aiocoap import Message
from aiocoap.blockwise import ContinueException, IncompleteException
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code
from aiocoap.optiontypes import BlockOption

from gateway.coap.assembly import IDLE_S, MOST_OF_ADDRESS, OVERHEAD, Assemblies, Refused
from gateway.coap.receipts import host
from gateway.coap.site import tuning
from tests.gateway.entrances import house


@dataclass(frozen=True)
class Remote:
    """A client's address and port."""

    address: str = "10.0.0.1"
    port: int = 40_000

    @property
    def hostinfo(self) -> str:
        return self.address if self.port == 5683 else f"{self.address}:{self.port}"

    @property
    def blockwise_key(self) -> tuple[str, int]:
        return self.address, self.port


def block(number: int, payload: bytes = b"x" * 64, *, more: bool = True, port: int = 1) -> Message:
    message = Message(code=Code.POST, payload=payload, uri_path=("devices", "d1", "telemetry"))
    message.direction = Direction.INCOMING
    message.remote = Remote(port=port)
    message.opt.block1 = BlockOption.BlockwiseTuple(number, more, 2)
    return message


def code_of(assemblies: Assemblies, message: Message) -> object:
    """Return the code that a block is answered with at once."""
    with pytest.raises((Refused, ContinueException, IncompleteException)) as raised:
        assemblies.feed_and_take(message)
    return raised.value.to_message().code


class Clock:
    """Shows what a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def assemblies(clock: Clock | None = None, most_held: int = 10**6) -> Assemblies:
    ingest = house().entrance.ingest
    ingest.most_bytes = 200
    return Assemblies(ingest, tuning(2.0, 4), most_held=most_held, clock=clock or Clock())


def test_blocks_become_one_request_and_nothing_is_left() -> None:
    one = assemblies()
    assert code_of(one, block(0, b"a" * 64)) == Code.CONTINUE
    assert code_of(one, block(1, b"b" * 64)) == Code.CONTINUE

    whole = one.feed_and_take(block(2, b"c", more=False))

    assert whole.payload == b"a" * 64 + b"b" * 64 + b"c"
    assert whole.opt.block1.block_number == 2
    assert (len(one), one.held) == (0, 0)


def test_block_behind_a_gap_is_incomplete() -> None:
    one = assemblies()
    code_of(one, block(0))
    assert code_of(one, block(2)) == Code.REQUEST_ENTITY_INCOMPLETE
    assert code_of(one, block(1, port=2)) == Code.REQUEST_ENTITY_INCOMPLETE


def test_request_that_grows_too_large_is_refused_and_forgotten() -> None:
    one = assemblies()
    for number in range(3):
        assert code_of(one, block(number)) == Code.CONTINUE

    assert code_of(one, block(3)) == Code.REQUEST_ENTITY_TOO_LARGE
    assert (len(one), one.held) == (0, 0)


def test_size_that_is_announced_is_refused_with_the_first_block() -> None:
    first = block(0)
    first.opt.size1 = 201
    assert code_of(assemblies(), first) == Code.REQUEST_ENTITY_TOO_LARGE


def test_address_may_begin_so_many_and_an_idle_one_makes_room() -> None:
    clock = Clock()
    one = assemblies(clock)
    for port in range(MOST_OF_ADDRESS):
        assert code_of(one, block(0, port=port)) == Code.CONTINUE

    assert code_of(one, block(0, port=1_000)) == Code.TOO_MANY_REQUESTS
    clock.now = IDLE_S
    assert code_of(one, block(1, port=0)) == Code.CONTINUE
    assert code_of(one, block(0, port=1_000)) == Code.CONTINUE
    assert code_of(one, block(1, port=1)) == Code.REQUEST_ENTITY_INCOMPLETE
    assert len(one) == MOST_OF_ADDRESS


def test_all_that_has_begun_is_bounded_together() -> None:
    one = assemblies(most_held=3 * OVERHEAD)
    codes = [code_of(one, block(0, port=port)) for port in range(4)]
    assert codes == [Code.CONTINUE] * 2 + [Code.SERVICE_UNAVAILABLE] * 2
    assert one.held <= 3 * OVERHEAD


def test_what_nobody_goes_on_with_is_forgotten() -> None:
    clock = Clock()
    one = assemblies(clock)
    code_of(one, block(0, port=1))
    clock.now = 100.0
    code_of(one, block(0, port=2))
    assert len(one) == 1


@pytest.mark.parametrize("port", [5683, 40_000])
def test_address_is_known_whatever_the_port(port: int) -> None:
    assert host(block(0, port=port)) == "10.0.0.1"
