"""Observations: how many a device has at once, and what is no longer told."""

import time
from collections.abc import Iterator

import pytest
from aiocoap.numbers.codes import Code

from gateway.coap.site import MOST_OBSERVATIONS
from gateway.downlink import Downlink
from tests.gateway.coap.test_wire import Device, observe
from tests.gateway.entrances import house
from tests.gateway.served import Served

BEHIND_S = 0.3


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


def told(served: Served, payload: bytes, expires_at: float | None = None) -> None:
    async def deliver() -> None:
        downlink = Downlink("default", "d1", "commands/x", payload, expires_at=expires_at)
        served.house.entrance.downlinks.deliver(downlink)

    served.do(deliver())


def test_device_that_forgets_its_observations_has_so_many_at_most(
    served: Served, device: Device
) -> None:
    """As one does that wakes, observes under a new token, and sleeps again without a word."""
    for number in range(MOST_OBSERVATIONS):
        assert device.asked(observe(token=b"%d" % number)).opt.observe is not None
    assert device.heard(BEHIND_S) is None

    device.send(observe(token=b"new"))
    heard = {}
    while (message := device.heard(BEHIND_S)) is not None:
        device.send_bytes(b"\x60\0" + message.mid.to_bytes(2))
        heard[message.token] = message.code
    assert heard == {b"new": Code.CONTENT, b"0": Code.SERVICE_UNAVAILABLE}
    assert len(served.house.entrance.lives) == MOST_OBSERVATIONS


def test_command_that_is_over_is_not_told_to_who_comes_later(
    served: Served, device: Device
) -> None:
    device.asked(observe())
    told(served, b"open the valve", time.time() + 0.2)
    note = device.heard()
    assert note is not None
    assert note.payload == b"open the valve"
    device.send_bytes(b"\x60\0" + note.mid.to_bytes(2))
    time.sleep(0.3)

    assert device.asked(observe(token=b"later")).payload == b""
    told(served, b"too late", time.time() - 1)
    assert device.heard(BEHIND_S) is None
