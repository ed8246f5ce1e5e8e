"""Devices that observe a downlink, and messages for them in the form that they accept."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple

import cbor2
import orjson
from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from aiocoap.numbers.contentformat import ContentFormat
from aiocoap.protocol import ServerObservation

from gateway.coap.blocks import Blocks
from gateway.downlink import Downlink
from gateway.identity import Identity
from telemetry.encodings import CBOR, content_type_of
from telemetry.records import JSON

MOST_WAITING = 100
SPACING_S = 0.02
"""Between two notifications: CoAP's observe shows states, and a command must not hide another."""
FETCHED_WITHIN_S = 10.0
"""How long a message that goes block by block holds up the next one."""
FORMATS = {JSON: ContentFormat.JSON, CBOR: ContentFormat.CBOR}
ANY_BYTES = (ContentFormat.TEXT, ContentFormat.OCTETSTREAM)


class Target(NamedTuple):
    """Whom notifications go to: aiocoap's end of it, the request, and who cuts what is large."""

    observed: ServerObservation
    request: Message
    blocks: Blocks


class Observation:
    """One client that observes one of its device's downlinks."""

    def __init__(
        self,
        identity: Identity,
        part: str,
        target: Target,
        timers: TransportTuning,
    ) -> None:
        self.identity = identity
        self.part = part
        self._target = target
        self._timers = timers
        self._waiting: deque[Downlink] = deque(maxlen=MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None
        self._is_over = False

    def offer(self, downlink: Downlink) -> None:
        """Notify of a message, after those that came before."""
        if self._is_over:
            return
        self._waiting.append(downlink)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.ensure_future(self._send())

    async def _send(self) -> None:
        observed, request, blocks = self._target
        while self._waiting:
            downlink = self._waiting.popleft()
            if downlink.is_over(time.time()):
                continue
            message = shown(downlink, self._timers, request.opt.accept)
            if not message.code.is_successful():
                # RFC 7641, 4.2: whoever does not accept what there is observes no longer.
                self._is_over = True
                self._waiting.clear()
            first, fetched = blocks.begun(request, message)
            observed.trigger(first)
            await asyncio.sleep(SPACING_S)
            if fetched is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(fetched.wait(), FETCHED_WITHIN_S)

    def close(self) -> None:
        """Send no more: the observation is over."""
        self._is_over = True
        self._waiting.clear()
        self._target.blocks.forget(self._target.request)

    def renew(self, identity: Identity) -> None:
        """Go on as the registry has the device and its credential now."""
        self.identity = identity

    def end(self, reason: str) -> None:
        """Close it: its device or credential is no longer good."""
        self._last(Code.UNAUTHORIZED, reason)

    def give_way(self) -> None:
        """Close it for newer ones of its device: nobody may be there to hear it any more."""
        self._last(Code.SERVICE_UNAVAILABLE, "the device observes too much: observe again")

    def _last(self, code: Code, text: str) -> None:
        self._is_over = True
        self._waiting.clear()
        self._target.observed.trigger(Message(code=code, payload=text.encode()))


def shown(
    downlink: Downlink, timers: TransportTuning, accept: ContentFormat | None = None
) -> Message:
    """Return a message for a device; its full channel is in Location-Path."""
    payload = downlink.payload if accept is None else _accepted(downlink, accept)
    if payload is None:
        text = f"the message is {downlink.content_type or 'of no known form'}".encode()
        return Message(code=Code.NOT_ACCEPTABLE, payload=text, transport_tuning=timers)
    message = Message(code=Code.CONTENT, payload=payload, transport_tuning=timers)
    form = FORMATS.get(downlink.content_type or "") if accept is None else accept
    if form is not None:
        message.opt.content_format = form
    message.opt.location_path = tuple(downlink.part.split("/"))
    return message


def _accepted(downlink: Downlink, accept: ContentFormat) -> bytes | None:
    """Return a message's bytes in the form that is accepted, None where it has no such form."""
    payload, given = downlink.payload, downlink.content_type
    form = FORMATS.get(content_type_of(payload) if given is None else given)
    if accept == form or (accept in ANY_BYTES and (given is None or form is None)):
        return payload
    try:
        if (form, accept) == (ContentFormat.JSON, ContentFormat.CBOR):
            return cbor2.dumps(orjson.loads(payload))
        if (form, accept) == (ContentFormat.CBOR, ContentFormat.JSON):
            return orjson.dumps(cbor2.loads(payload))
    except (ValueError, TypeError, RecursionError, cbor2.CBORDecodeError):
        return None
    return None
