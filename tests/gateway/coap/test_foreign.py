"""Rules below a device over CoAP, at a real port."""

import orjson
import pytest
from aiocoap.numbers.codes import Code

from gateway.rules import read_rules
from tests.gateway.coap.posting import posted
from tests.gateway.served import Served

RULES = read_rules(
    b'{"rules":[{"name":"r","topic":"devices/+/sensor","metrics":{"temperature":{"path":"."}}}]}'
)


@pytest.mark.parametrize(
    ("payload", "form", "code", "topic"),
    [
        (b"21.5", None, Code.CHANGED, "telemetry"),
        (b"21.5", 42, Code.CHANGED, "telemetry"),
        (b"[]", None, Code.UNPROCESSABLE_ENTITY, "telemetry.dead"),
    ],
)
def test_rule_makes_a_message_of_what_a_device_posts(
    served: Served, payload: bytes, form: int | None, code: Code, topic: str
) -> None:
    entrance, outlet = served.house.entrance, served.house.outlet
    outlet.taken.clear()
    entrance.go_by(RULES)
    try:
        answer = posted(served, payload, "d1/sensor?u=d1", form)
    finally:
        entrance.go_by(())

    assert answer.code == code
    assert [each.topic for each in outlet.taken] == [topic]


def test_rule_lets_nobody_post_below_another_device(served: Served) -> None:
    served.house.entrance.go_by(RULES)
    try:
        answer = posted(served, b"21.5", "d2/sensor?u=d1")
    finally:
        served.house.entrance.go_by(())

    assert answer.code == Code.FORBIDDEN
    assert orjson.loads(answer.payload)["reason"] == "not_authorised"
