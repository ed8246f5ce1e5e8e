"""Devices' resources in CoAP: POST of telemetry, block by block if need be; observe of commands."""

import time
from collections.abc import Mapping
from functools import partial

from aiocoap import Message, resource
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from aiocoap.protocol import ServerObservation

from gateway.batches import ingest_batch
from gateway.channels import DOWNLINKS, TELEMETRY_CHANNEL, own_part
from gateway.coap.blocks import Blocks
from gateway.coap.foreign import ingest_foreign
from gateway.coap.observing import Observation, Target, shown
from gateway.coap.options import TOKEN_OPTION
from gateway.coap.receipts import host, receipt, refusal
from gateway.coap.waiting import Mailbox
from gateway.downlink import Downlink
from gateway.entrance import Entrance, Foreign
from gateway.identity import Identity, Presented
from gateway.outcome import Rejected
from telemetry.encodings import CBOR, content_type_of
from telemetry.records import JSON

PROTOCOL = "coap"
MOST_OBSERVATIONS = 16
"""Of a device at once."""


def tuning(ack_timeout_s: float, most_retransmits: int) -> TransportTuning:
    """Return timers for this radio."""
    found = TransportTuning()
    found.ACK_TIMEOUT = ack_timeout_s
    found.MAX_RETRANSMIT = most_retransmits
    return found


class DeviceTree(resource.Resource, resource.PathCapable):  # type: ignore[misc]
    """All that stands below `devices/`."""

    def __init__(self, entrance: Entrance, timers: TransportTuning) -> None:
        super().__init__()
        self._entrance = entrance
        self._timers = timers
        self._block2 = Blocks()
        self._observations: dict[tuple[str, str], dict[Observation, None]] = {}
        """Of each device, the oldest first."""
        self._boxes: dict[tuple[str, str], dict[str, Mailbox]] = {}
        """Of each device, by part."""
        self._entering: dict[int, Observation | Message] = {}
        """What becomes of who wants to observe, by its request, until that is rendered."""
        entrance.downlinks.add(self._offer)

    async def render_post(self, request: Message) -> Message:
        """Take telemetry; 2.04 once it is durable."""
        identity = self._identity(request)
        if isinstance(identity, Rejected):
            return self._refusal(identity)
        topic = "/".join(("devices", *request.opt.uri_path))
        if self._entrance.is_foreign(topic):
            return await self._foreign(Foreign(identity, topic, request.payload, PROTOCOL))
        form = _content_type(request)
        if form is None and own_part(topic, identity) == TELEMETRY_CHANNEL:
            return self._refusal(self._entrance.ingest.counted(_no_reading(request)))
        form = form or _media_type(request)
        channel = self._entrance.channel(identity, topic, protocol=PROTOCOL, content_type=form)
        if isinstance(channel, Rejected):
            return self._refusal(channel)
        outcome = await ingest_batch(
            self._entrance.ingest,
            channel,
            [request.payload],
            content_type=form,
            now=time.time_ns() // 1000,
        )
        if isinstance(outcome, Rejected):
            return self._refusal(outcome)
        return receipt(channel.identity.durability, self._timers)

    render_put = render_post

    async def _foreign(self, said: Foreign) -> Message:
        """Answer what a rule makes a message of, once that is durable."""
        refused = await ingest_foreign(self._entrance, said, now=time.time_ns() // 1000)
        if refused is not None:
            return self._refusal(refused)
        return receipt(said.identity.durability, self._timers)

    async def render_get(self, request: Message) -> Message:
        """Return the newest message on a downlink; observe to get each one."""
        entering = self._entering.pop(id(request), None)
        if isinstance(entering, Message):
            return entering
        if isinstance(entering, Observation):
            return self._first(entering, request)
        identity = self._identity(request)
        if isinstance(identity, Rejected):
            return self._refusal(identity)
        part = self._part(request, identity)
        if isinstance(part, Message):
            return part
        boxes = self._boxes.get((identity.tenant, identity.device_full), {})
        return self._newest(boxes.get(part), request)

    def _newest(self, box: Mailbox | None, request: Message) -> Message:
        newest = box.newest if box else None
        if newest is None or newest.is_over(time.time()):
            return Message(code=Code.CONTENT, payload=b"", transport_tuning=self._timers)
        return shown(newest, self._timers, request.opt.accept)

    def _first(self, observation: Observation, request: Message) -> Message:
        """Return what begins an observation: what was not heard, or what is so still.

        A command that was heard is done; a twin or a firmware is a state, told to whoever asks.
        """
        unheard = observation.first()
        if unheard is not None:
            return unheard
        is_done = observation.box.part.partition("/")[0] == "commands"
        # The first answer of an observation is nobody else's to cut.
        newest = self._newest(None if is_done else observation.box, request)
        return self._block2.begun(request, newest)[0]

    def _part(self, request: Message, identity: Identity) -> str | Message:
        """Return which downlink is asked for, or the answer where it is none."""
        part = own_part("/".join(("devices", *request.opt.uri_path)), identity)
        text = "a device reads its own commands, twin and firmware"
        if part is None:
            return self._refusal(Rejected("not_authorised", text))
        if part.partition("/")[0] not in DOWNLINKS:
            code = Code.METHOD_NOT_ALLOWED
            return Message(code=code, payload=text.encode(), transport_tuning=self._timers)
        return part

    async def add_observation(self, request: Message, observed: ServerObservation) -> None:
        """Let a client observe one of its downlinks, and all that is below it."""
        # Whoever is not let in below is answered once; aiocoap wants each one accepted first.
        observed.accept(_nothing)
        if request.code != Code.GET:
            observed.deregister()
            return
        entering = self._entering[id(request)] = self._entered(request, observed)
        if isinstance(entering, Message):
            observed.deregister()
            return
        observed.accept(partial(self._forget, entering))

    def _entered(self, request: Message, observed: ServerObservation) -> Observation | Message:
        """Return a new observation, or the answer where there can be none."""
        identity = self._identity(request)
        if isinstance(identity, Rejected):
            return self._refusal(identity)
        part = self._part(request, identity)
        if isinstance(part, Message):
            return part
        key = (identity.tenant, identity.device_full)
        box = self._boxes.setdefault(key, {}).setdefault(part, Mailbox(part))
        target = Target(observed, request, self._block2)
        counters = self._entrance.counters
        observation = Observation(identity, box, target, self._timers, counters)
        known = self._observations.setdefault(key, {})
        known[observation] = None
        if len(known) > MOST_OBSERVATIONS:
            # One that its device has forgotten is known as such only once it is told something.
            oldest = next(iter(known))
            del known[oldest]
            oldest.give_way()
        self._entrance.lives.add(observation)
        return observation

    def _forget(self, observation: Observation) -> None:
        identity, box = observation.identity, observation.box
        key = (identity.tenant, identity.device_full)
        observation.close()
        self._entrance.lives.remove(observation)
        kept = self._observations.get(key, {})
        kept.pop(observation, None)
        if not kept:
            self._observations.pop(key, None)
        if box.newest is None and not any(each.box is box for each in kept):
            boxes = self._boxes.get(key, {})
            boxes.pop(box.part, None)
            if not boxes:
                self._boxes.pop(key, None)

    def _offer(self, downlink: Downlink) -> bool:
        key, counters = (downlink.tenant, downlink.device_full), self._entrance.counters
        observed = [
            observation
            for observation in self._observations.get(key, ())
            if observation.box.wants(downlink.part)
        ]
        boxes = {observation.box.part: observation.box for observation in observed}
        # Who has not heard what came before is asleep, or on its way back: this waits behind it.
        waited = [
            box
            for box in self._boxes.get(key, {}).values()
            if box.part not in boxes and box.unheard and box.wants(downlink.part)
        ]
        for box in boxes.values():
            box.take(downlink)
        for box in waited:
            counters.add("downlinks", channel="waiting")
            if gone := box.take(downlink):
                counters.add("downlinks", gone, channel="dropped")
        for observation in observed:
            observation.offer(downlink)
            counters.add("downlinks", channel="coap")
        return bool(observed or waited)

    async def render_to_pipe(self, request: object) -> None:
        """Serve a request, observed or not."""
        await resource.ObservableResource.render_to_pipe(self, request)

    def _identity(self, request: Message) -> Identity | Rejected:
        query = dict(_pairs(request.opt.uri_query))
        token = query.get("token") or _token(request)
        presented = Presented(
            client_id=query.get("c", ""),
            username=None if token else query.get("u"),
            password=token or query.get("p"),
            address=host(request),
            is_datagram=True,
        )
        return self._entrance.login(presented, protocol=PROTOCOL, now=time.time())

    def _refusal(self, rejected: Rejected) -> Message:
        return refusal(rejected, self._timers)


def _nothing() -> None:
    """Do nothing at the end of an observation that never was one."""


def _pairs(query: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (each.partition("=") for each in query)]


def _token(request: Message) -> str | None:
    for option in request.opt.option_list():
        if int(option.number) == TOKEN_OPTION:
            return bytes(option.encode()).decode("utf-8", "replace")
    return None


def _content_type(request: Message) -> str | None:
    """Return which form of a message a payload has, None if it is said to have another."""
    form = request.opt.content_format
    known: Mapping[int, str] = {50: JSON, 60: CBOR, 0: JSON}
    return content_type_of(request.payload) if form is None else known.get(int(form))


def _no_reading(request: Message) -> Rejected:
    form = int(request.opt.content_format)
    return Rejected("content_type", f"content format {form}; known are 50, 60 and 0")


def _media_type(request: Message) -> str:
    """Return what a payload that is no reading is said to be; bytes where IANA knows no such."""
    return str(getattr(request.opt.content_format, "media_type", "application/octet-stream"))
