"""Commands that are larger than a datagram, to observers: RFC 7959 and 7641 together."""

import asyncio
from collections.abc import Iterator

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.optiontypes import BlockOption

from gateway.downlink import Downlink
from tests.gateway.coap.test_wire import QUIET_S, Device, delivered, observe
from tests.gateway.entrances import house
from tests.gateway.served import Served

LARGE = Downlink("default", "d1", "commands/large", bytes(range(250)) * 10)
SMALL = Downlink("default", "d1", "commands/small", b"now")
Block = BlockOption.BlockwiseTuple


@pytest.fixture
def served() -> Iterator[Served]:
    running = Served(house(is_anonymous=True))
    yield running
    running.stop()


@pytest.fixture
def device(served: Served) -> Iterator[Device]:
    made = Device(served)
    yield made
    made.close()


def heard(device: Device) -> Message:
    """Return the next notification, and acknowledge it."""
    note = device.heard()
    assert note is not None
    device.send_bytes(b"\x60\0" + note.mid.to_bytes(2))
    return note


def block(device: Device, number: int, exponent: int) -> Message:
    asked = observe(None, token=b"b%d" % number)
    asked.opt.block2 = Block(number, False, exponent)
    return device.asked(asked)


@pytest.mark.parametrize("exponent", [None, 4])
def test_large_command_comes_block_by_block(
    served: Served, device: Device, exponent: int | None
) -> None:
    asked = observe()
    if exponent is not None:
        asked.opt.block2 = Block(0, False, exponent)
    device.asked(asked)
    served.do(delivered(served, LARGE))
    first = heard(device)
    size = 1 << ((exponent or 6) + 4)

    assert first.opt.block2 == Block(0, True, exponent or 6)
    assert (first.token, len(first.payload)) == (b"o", size)
    assert first.opt.observe is not None
    parts, number = [first], 0
    while parts[-1].opt.block2.more:
        number += 1
        parts.append(block(device, number, exponent or 6))
    assert b"".join(part.payload for part in parts) == LARGE.payload
    assert {part.opt.etag for part in parts} == {first.opt.etag}
    assert first.opt.etag


def test_next_command_waits_until_a_large_one_is_fetched(served: Served, device: Device) -> None:
    device.asked(observe())
    served.do(delivered(served, LARGE))
    served.do(delivered(served, SMALL))
    heard(device)
    block(device, 1, 6)
    assert device.heard(QUIET_S) is None

    assert not block(device, 2, 6).opt.block2.more
    assert heard(device).payload == SMALL.payload


def test_who_observes_anew_gets_the_large_one_block_by_block(
    served: Served, device: Device
) -> None:
    device.asked(observe())
    served.do(delivered(served, LARGE))
    heard(device)
    assert device.first(observe(token=b"n")).code == Code.EMPTY
    again = heard(device)

    assert (again.code, again.opt.block2) == (Code.CONTENT, Block(0, True, 6))
    assert block(device, 2, 6).payload == LARGE.payload[2048:]


def test_end_of_an_observation_ends_the_wait_for_its_blocks(served: Served, device: Device) -> None:
    device.asked(observe())
    served.do(delivered(served, LARGE))
    heard(device)
    device.asked(observe(1))
    served.do(asyncio.sleep(0.05))
    served.do(delivered(served, SMALL))

    assert len(served.house.entrance.lives) == 0
    assert device.heard(QUIET_S) is None
