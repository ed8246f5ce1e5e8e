"""CoAP at a real port: what each refusal is called."""

import orjson
import pytest
from aiocoap.numbers.codes import Code
from aiocoap.numbers.contentformat import ContentFormat

from gateway.limits import Rate
from telemetry.changes import DeviceBody
from telemetry.devices import Device
from tests.gateway.coap.posting import posted
from tests.gateway.entrances import EDITIONS, MESSAGE, house
from tests.gateway.served import Served


def test_message_is_2_04(served: Served) -> None:
    answer = posted(served)

    assert (answer.code, answer.payload) == (Code.CHANGED, b"")


def test_receipt_of_class_consumer_says_so(served: Served) -> None:
    directory = served.house.directory
    try:
        for_one = DeviceBody(Device("d1", durability="consumer"))
        directory.apply(EDITIONS.change("device", "d1", for_one))
        answer = posted(served)
    finally:
        directory.apply(EDITIONS.change("device", "d1", DeviceBody(Device("d1"))))

    assert answer.code == Code.CHANGED
    assert answer.opt.content_format == ContentFormat.JSON
    assert orjson.loads(answer.payload) == {"durability": "consumer"}


def test_message_that_is_too_large_is_4_13_and_nothing_of_it_is_held(served: Served) -> None:
    answer = posted(served, b'{"metrics":{"a":"' + b"x" * 300_000 + b'"}}')

    assert answer.code == Code.REQUEST_ENTITY_TOO_LARGE
    assert answer.opt.size1 == 256 * 1024


@pytest.mark.parametrize(
    ("payload", "form", "code", "reason"),
    [
        (MESSAGE, 40, Code.UNSUPPORTED_CONTENT_FORMAT, "content_type"),
        (b"rubbish", None, Code.UNPROCESSABLE_ENTITY, "undecodable"),
        (b'{"device":"d9","metrics":{"a":1}}', 50, Code.UNPROCESSABLE_ENTITY, "device_mismatch"),
    ],
)
def test_refusals_by_code(
    served: Served, payload: bytes, form: int | None, code: Code, reason: str
) -> None:
    answer = posted(served, payload, form=form)
    told = orjson.loads(answer.payload)
    assert (answer.code, told["reason"], "topic" in told) == (code, reason, False)


def test_store_that_is_away_is_5_03_with_the_time_to_try_again(served: Served) -> None:
    served.house.outlet.is_away = True
    try:
        answer = posted(served)
    finally:
        served.house.outlet.is_away = False
    assert answer.code == Code.SERVICE_UNAVAILABLE
    assert answer.opt.max_age >= 3


def test_limit_is_4_29_with_the_time_to_try_again() -> None:
    running = Served(house(is_anonymous=True, device_rate=Rate(0.1, 1.0)))
    try:
        answers = [posted(running) for _ in range(2)]
    finally:
        running.stop()
    assert [answer.code for answer in answers] == [Code.CHANGED, Code.TOO_MANY_REQUESTS]
    assert 5 <= answers[1].opt.max_age <= 12
