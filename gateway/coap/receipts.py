"""Receipts as CoAP says them: a code, and of what is refused Max-Age to wait and why, as JSON."""

import orjson
from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from aiocoap.numbers.contentformat import ContentFormat
from aiocoap.util import hostportsplit

from gateway.outcome import Rejected
from telemetry.devices import Durability


def refusal(rejected: Rejected, timers: TransportTuning) -> Message:
    """Return the answer to a request that is refused."""
    major, minor = rejected.code.coap
    message = Message(
        code=Code(major << 5 | minor),
        payload=orjson.dumps(rejected.receipt()),
        transport_tuning=timers,
    )
    message.opt.content_format = ContentFormat.JSON
    if rejected.retry_after_s is not None:
        message.opt.max_age = max(1, round(rejected.retry_after_s + 0.5))
    return message


def receipt(durability: Durability, timers: TransportTuning) -> Message:
    """Return the answer to what was taken; that of class consumer names its class."""
    message = Message(code=Code.CHANGED, transport_tuning=timers)
    if durability == "consumer":
        message.payload = orjson.dumps({"durability": durability})
        message.opt.content_format = ContentFormat.JSON
    return message


def host(request: Message) -> str:
    """Return the address that a request came from, without its port."""
    return str(hostportsplit(request.remote.hostinfo)[0])
