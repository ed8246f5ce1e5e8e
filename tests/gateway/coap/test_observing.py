"""Observations: how many a device has at once, what is told again, and what is no longer told."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import CON, NON

from gateway.coap.site import MOST_OBSERVATIONS
from gateway.coap.waiting import MOST_WAITING
from gateway.downlink import Downlink
from tests.gateway.coap.test_wire import Device, observe
from tests.gateway.entrances import house
from tests.gateway.served import Served

BEHIND_S = 0.3
ACKNOWLEDGED, RESET = b"\x60", b"\x70"


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


def told(
    served: Served, *payloads: bytes, expires_at: float | None = None, part: str = "commands/x"
) -> None:
    async def deliver() -> None:
        for payload in payloads:
            downlink = Downlink("default", "d1", part, payload, expires_at=expires_at)
            served.house.entrance.downlinks.deliver(downlink)

    served.do(deliver())


def heard(device: Device, *, kind: bytes = ACKNOWLEDGED) -> Message:
    """Return the next message of the gateway's own, and answer it."""
    note = device.heard()
    assert note is not None
    device.send_bytes(kind + b"\0" + note.mid.to_bytes(2))
    return note


def told_anew(device: Device, token: bytes) -> bytes:
    """Observe anew, and return what the device is told first, which it acknowledges."""
    answer = device.first(observe(token=token))
    return bytes((heard(device) if answer.code == Code.EMPTY else answer).payload)


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
    over = time.time() + 1.5
    told(served, b"open the valve", expires_at=over)
    note = device.heard()
    assert note is not None
    assert note.payload == b"open the valve"
    device.send_bytes(b"\x60\0" + note.mid.to_bytes(2))
    time.sleep(max(0.0, over - time.time()) + 0.05)

    assert device.asked(observe(token=b"later")).payload == b""
    told(served, b"too late", expires_at=time.time() - 1)
    assert device.heard(BEHIND_S) is None


@pytest.mark.parametrize("token", [b"o", b"new"])
def test_command_that_was_acknowledged_is_not_told_again(
    served: Served, device: Device, token: bytes
) -> None:
    """Whether the observation is refreshed under its token, or begun anew under another."""
    device.asked(observe())
    told(served, b"open the valve")
    assert heard(device).payload == b"open the valve"

    assert told_anew(device, token) == b""
    assert device.asked(observe(None, token=b"get")).payload == b"open the valve"


def test_command_that_was_not_acknowledged_is_told_until_it_is(
    served: Served, device: Device
) -> None:
    device.asked(observe())
    told(served, b"open the valve")
    heard(device, kind=RESET)

    answer = device.first(observe(token=b"2"))
    assert (answer.code, answer.token) == (Code.EMPTY, b"")
    again = heard(device, kind=RESET)
    assert (again.mtype, again.token, again.payload) == (CON, b"2", b"open the valve")
    assert again.opt.observe is not None

    assert [told_anew(device, token) for token in (b"3", b"4")] == [b"open the valve", b""]


def test_commands_that_wait_for_an_acknowledgement_outlive_the_observation(
    served: Served, device: Device
) -> None:
    device.asked(observe())
    told(served, b"1", b"2", b"3")
    heard(device, kind=RESET)

    assert told_anew(device, b"n") == b"1"
    assert [heard(device).payload for _ in range(2)] == [b"2", b"3"]
    assert device.heard(BEHIND_S) is None


def test_command_for_a_device_that_has_not_heard_the_last_one_waits_behind_it(
    served: Served, device: Device
) -> None:
    device.asked(observe())
    told(served, b"1")
    heard(device, kind=RESET)
    served.do(asyncio.sleep(0.05))
    told(served, b"2")

    assert told_anew(device, b"n") == b"1"
    assert heard(device).payload == b"2"
    counters = served.house.entrance.counters
    assert counters.value("downlinks", channel="waiting") == 1


@pytest.mark.parametrize("part", ["twin", "firmware"])
def test_state_that_was_acknowledged_is_told_to_who_observes_anew(
    served: Served, device: Device, part: str
) -> None:
    path = ("devices", "d1", part)
    device.asked(observe(path=path))
    told(served, b"on", part=f"{part}/desired")
    heard(device)

    assert device.asked(observe(token=b"n", path=path)).payload == b"on"


def test_who_confirms_nothing_is_told_the_newest_command_again(
    served: Served, device: Device
) -> None:
    asked = observe()
    asked.mtype = NON
    device.asked(asked)
    told(served, b"1", b"2")
    assert [note.payload for _ in range(2) if (note := device.heard())] == [b"1", b"2"]
    time.sleep(BEHIND_S)

    again = observe(token=b"n")
    again.mtype = NON
    assert device.asked(again).payload == b"2"
    assert device.heard(BEHIND_S) is None


def test_refreshed_observation_goes_on_behind_its_last_number(
    served: Served, device: Device
) -> None:
    """RFC 7641, 4.4: a client takes a lower number for an old message, and lets it go."""
    numbers = []
    for command in (b"1", b"2", b"3"):
        numbers.append(device.asked(observe()).opt.observe)
        told(served, command)
        numbers.append(heard(device).opt.observe)

    assert numbers == sorted(set(numbers))


def test_form_that_is_not_accepted_twice_holds_up_no_other_command(
    served: Served, device: Device
) -> None:
    def observed(token: bytes) -> Message:
        asked = observe(token=token)
        asked.opt.accept = 60
        return device.asked(asked)

    observed(b"1")
    told(served, b"<a/>")
    assert heard(device).code == Code.NOT_ACCEPTABLE
    assert observed(b"2").code == Code.NOT_ACCEPTABLE
    assert observed(b"3").code == Code.CONTENT


def test_command_that_has_to_go_for_newer_ones_is_counted(served: Served, device: Device) -> None:
    device.asked(observe())
    told(served, *(b"%d" % number for number in range(MOST_WAITING + 3)))
    served.do(asyncio.sleep(0))

    counters = served.house.entrance.counters
    assert counters.value("downlinks", channel="dropped") == 3
    assert heard(device).payload == b"3"
