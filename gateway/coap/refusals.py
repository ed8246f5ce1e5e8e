"""Refusals as CoAP says them: a code, Max-Age to wait, and the receipt as JSON."""

import orjson
from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from aiocoap.numbers.contentformat import ContentFormat
from aiocoap.util import hostportsplit

from gateway.outcome import Rejected


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


def host(request: Message) -> str:
    """Return the address that a request came from, without its port."""
    return str(hostportsplit(request.remote.hostinfo)[0])
