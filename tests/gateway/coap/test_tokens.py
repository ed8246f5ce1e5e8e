"""Tokens over CoAP: longer than a query may be, where a device has a long name."""

import time

import pytest

from edge.coap_sender import CoapSender
from edge.device_outbox import DeviceOutbox, Settled
from edge.outbox import OutRecord
from telemetry.local_tokens import local_token
from tests.gateway.entrances import LOCAL_KEY, MESSAGE, house
from tests.gateway.served import Served

LARGE = b'{"seq":2,"metrics":{"a":"%s"}}' % (b"x" * 3_000)


@pytest.mark.parametrize("name", ["d1", "meter." + "d" * 100])
def test_device_comes_in_by_its_token_however_long_its_name_is(name: str) -> None:
    served = Served(house())

    def opened(settled: Settled) -> CoapSender:
        def token(device_full: str) -> str:
            return local_token(LOCAL_KEY, device_full, now=time.time())

        return CoapSender(settled, "127.0.0.1", served.port("coap"), token)

    try:
        with DeviceOutbox(opened) as outbox:
            for payload in (MESSAGE, LARGE):
                outbox.send(OutRecord(name.encode(), payload, []))
            assert outbox.flush(30) == 0
    finally:
        served.stop()

    assert outbox.refusals == {}
    assert [taken.value for taken in served.house.outlet.taken] == [MESSAGE, LARGE]
