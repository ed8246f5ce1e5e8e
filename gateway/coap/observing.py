"""Devices that observe a downlink, and messages for them in the form that they accept."""

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import cbor2
import orjson
from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from aiocoap.numbers.contentformat import ContentFormat
from aiocoap.numbers.types import CON
from aiocoap.protocol import ServerObservation

from gateway.coap.blocks import Blocks
from gateway.coap.waiting import Mailbox, Waiting
from gateway.counters import Counters
from gateway.downlink import Downlink
from gateway.identity import Identity
from telemetry.encodings import CBOR, content_type_of
from telemetry.records import JSON

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


class _Told(NamedTuple):
    """A message on its way: set once it is acknowledged, and once all its blocks were asked for."""

    downlink: Downlink
    heard: asyncio.Event
    fetched: asyncio.Event | None


class Observation:
    """One client that observes one of its device's downlinks: told one by one, and in order.

    Whether a message was heard is known of clients that asked by a confirmable request. Of others
    it is taken for heard once another one was sent behind it.
    """

    def __init__(
        self,
        identity: Identity,
        box: Mailbox,
        target: Target,
        timers: TransportTuning,
        counters: Counters,
    ) -> None:
        self.identity = identity
        self.box = box
        self._target = target
        self._timers = timers
        self._counters = counters
        self._waiting = Waiting(box.unheard)
        self._is_confirmed = target.request.mtype is CON
        self._unproven: Downlink | None = None
        """What a client that confirms nothing was told last."""
        self._sending: asyncio.Task[None] | None = None
        self._is_over = False

    def offer(self, downlink: Downlink) -> None:
        """Notify of a message, after those that came before."""
        if self._is_over:
            return
        gone = self._waiting.add(downlink)
        if gone:
            self._counters.add("downlinks", gone, channel="dropped")
        if self._sending is None or self._sending.done():
            self._sending = asyncio.ensure_future(self._send(None))

    def first(self) -> Message | None:
        """Return the oldest message that is not heard, as the answer that begins it; None: none.

        The others go behind it.
        """
        downlink = self._next()
        if downlink is None:
            return None
        message, told = self._shown(downlink)
        if message.code.is_successful():
            self._sending = asyncio.ensure_future(self._send(told))
        else:
            # Told twice that it does not accept it: what came behind must not wait for that.
            self.box.unheard.remove(downlink)
        return message

    def _next(self) -> Downlink | None:
        while self._waiting:
            downlink = self._waiting.first()
            if not downlink.is_over(time.time()):
                return downlink
            self.box.unheard.remove(downlink)
            self._counters.add("downlinks", channel="expired")
        return None

    def _shown(self, downlink: Downlink) -> tuple[Message, _Told]:
        _, request, blocks = self._target
        message = shown(downlink, self._timers, request.opt.accept)
        first, fetched = blocks.begun(request, message)
        told = _Told(downlink, asyncio.Event(), fetched)
        if message.code.is_successful():
            first.heard = partial(self._heard, told)
        return first, told

    def _heard(self, told: _Told) -> None:
        told.heard.set()
        if told.fetched is None:
            self.box.unheard.remove(told.downlink)

    async def _send(self, told: _Told | None) -> None:
        """Wait until what was told is heard, and go on."""
        if told is not None:
            await self._settled(told)
        while (downlink := self._next()) is not None:
            message, told = self._shown(downlink)
            if not message.code.is_successful():
                # RFC 7641, 4.2: whoever does not accept what there is observes no longer.
                self._last(message)
                return
            self._target.observed.trigger(message)
            await self._settled(told)

    async def _settled(self, told: _Told) -> None:
        await asyncio.sleep(SPACING_S)
        if self._is_confirmed:
            # What is not acknowledged ends the observation, and with it this.
            await told.heard.wait()
        if told.fetched is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(told.fetched.wait(), FETCHED_WITHIN_S)
            if not told.fetched.is_set():
                return
        done = told.downlink if self._is_confirmed else self._unproven
        if done is not None:
            self.box.unheard.remove(done)
        self._unproven = told.downlink

    def close(self) -> None:
        """Send no more: the observation is over."""
        self._stop()
        if self._sending is not None:
            self._sending.cancel()
        self._target.blocks.forget(self._target.request)

    def renew(self, identity: Identity) -> None:
        """Go on as the registry has the device and its credential now."""
        self.identity = identity

    def end(self, reason: str) -> None:
        """Close it: its device or credential is no longer good."""
        self._last(Message(code=Code.UNAUTHORIZED, payload=reason.encode()))

    def give_way(self) -> None:
        """Close it for newer ones of its device: nobody may be there to hear it any more."""
        text = b"the device observes too much: observe again"
        self._last(Message(code=Code.SERVICE_UNAVAILABLE, payload=text))

    def _last(self, message: Message) -> None:
        self._stop()
        self._target.observed.trigger(message)

    def _stop(self) -> None:
        self._is_over = True
        self._waiting.clear()


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
