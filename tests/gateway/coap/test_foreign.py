"""Rules below a device over CoAP, at a real port."""

import asyncio

import aiocoap
import orjson
import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.rules import read_rules
from tests.gateway.served import Served

RULES = read_rules(
    b'{"rules":[{"name":"r","topic":"devices/+/sensor","metrics":{"temperature":{"path":"."}}}]}'
)


def posted(served: Served, payload: bytes, name: str = "d1", form: int | None = None) -> Message:
    async def post() -> Message:
        client = await aiocoap.Context.create_client_context(transports=["simple6"])
        uri = f"coap://127.0.0.1:{served.port('coap')}/devices/{name}/sensor?u=d1"
        request = Message(code=Code.POST, uri=uri, payload=payload)
        if form is not None:
            request.opt.content_format = form
        try:
            return await asyncio.wait_for(client.request(request).response, 20)
        finally:
            await client.shutdown()

    return asyncio.run(post())


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
        answer = posted(served, payload, form=form)
    finally:
        entrance.go_by(())

    assert answer.code == code
    assert [each.topic for each in outlet.taken] == [topic]


def test_rule_lets_nobody_post_below_another_device(served: Served) -> None:
    served.house.entrance.go_by(RULES)
    try:
        answer = posted(served, b"21.5", "d2")
    finally:
        served.house.entrance.go_by(())

    assert answer.code == Code.FORBIDDEN
    assert orjson.loads(answer.payload)["reason"] == "not_authorised"
