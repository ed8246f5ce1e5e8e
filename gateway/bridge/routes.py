"""Whose a broker's message is, and where it goes: its topic says so, by name or by a rule."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

from gateway.account import OpenPage
from gateway.channels import ROOT, TELEMETRY_CHANNEL, Channel, channel
from gateway.counters import Counters
from gateway.decoding import refused
from gateway.directory import Directory
from gateway.identity import Identity
from gateway.ingest import Arrival, Ingest
from gateway.outcome import Rejected
from gateway.outlet import Settle, lacks_topic
from gateway.rules import Rule, rule_for, translate
from telemetry.devices import check_name
from telemetry.encodings import content_type_of
from telemetry.errors import DeviceError
from telemetry.topics import TELEMETRY, TELEMETRY_DEAD

PROTOCOL = "bridge"
CREDENTIAL = "broker/bridge"
MOST_CHANNELS = 100_000
MOST_KEPT_BYTES = 1024 * 1024
"""Of a message that is too large, so that its record fits Kafka's topic."""


class _Named(NamedTuple):
    device_full: str
    payload: bytes
    channel: str = TELEMETRY_CHANNEL
    kafka_topic: str = TELEMETRY.name


class _Said(NamedTuple):
    """A message as the broker handed it over."""

    topic: str
    payload: bytes
    now: int
    settle: Settle


class Routes:
    """Publishes what comes from one broker, whose devices are of one tenant."""

    def __init__(
        self, directory: Directory, ingest: Ingest, counters: Counters, *, tenant: str
    ) -> None:
        self._directory = directory
        self._ingest = ingest
        self._counters = counters
        self._tenant = tenant
        self._channels: dict[tuple[str, str, str], Channel] = {}
        self.rules: tuple[Rule, ...] = ()

    def publish(self, topic: str, payload: bytes, *, now: int, settle: Settle) -> Rejected | None:
        """Make a message durable, in `telemetry`, or in `telemetry.dead` if it cannot land.

        None: it is settled later, with None or a refusal whose bytes are kept. A refusal that is
        returned, or settled without being kept, passes: the same message may be tried again.
        """
        said = _Said(topic, payload, now, settle)
        found = self._named(topic, payload)
        if found is None:
            self._counters.add("filtered")
            settle(None, None)
            return None
        if isinstance(found, Rejected):
            return self._bury(said, found)
        content_type = content_type_of(found.payload)
        made = self._channel(found.device_full, found.channel, content_type)
        if found.kafka_topic != made.kafka_topic:
            made = replace(made, kafka_topic=found.kafka_topic)
        why = self._refusal(made, found.payload, content_type)
        if why is not None:
            return self._bury(said, why, made)
        arrival = Arrival(made, found.payload, content_type)
        settled = partial(self._settled, self._ingest.account.page, settle)
        if made.is_elsewhere:
            settled = partial(self._elsewhere, said, made, settled)
        return self._ingest.ingest(arrival, now=now, settle=settled)

    def _settled(self, page: OpenPage, settle: Settle, error: object, message: object) -> None:
        """Note what may be acknowledged now: the broker is answered in the order of messages."""
        if error is None:
            page.acknowledged += 1
        settle(error, message)

    def _elsewhere(
        self, said: _Said, made: Channel, settled: Settle, error: object, message: object
    ) -> None:
        """Keep a message apart whose Kafka topic is not there: it would hold up all behind it."""
        if not lacks_topic(error):
            settled(error, message)
            return
        text = f"Kafka has no topic {made.kafka_topic}, where rule {made.name} sends it"
        refusal = self._bury(said, Rejected("topic", text), made)
        if refusal is not None:
            said.settle(refusal, None)

    def _named(self, topic: str, payload: bytes) -> _Named | Rejected | None:
        """Return whose it is and the message; None where a rule's condition leaves it out."""
        root, _, rest = topic.partition("/")
        if root == ROOT and rule_for(self.rules, topic) is None:
            name, _, part = rest.partition("/")
            if part != TELEMETRY_CHANNEL:
                text = "no rule fits it, and without one only devices/{id}/telemetry is read"
                return Rejected("topic", text)
            try:
                return _Named(check_name(name), payload)
            except DeviceError as error:
                return Rejected("topic", str(error))
        found = translate(self.rules, None, topic, payload)
        if found is None:
            return Rejected("topic", "no rule fits the topic")
        if isinstance(found, Rejected):
            return found
        return (
            None
            if found.payload is None
            else _Named(found.device_full, found.payload, found.channel, found.topic)
        )

    def _channel(self, device_full: str, part: str, content_type: str) -> Channel:
        key = device_full, part, content_type
        made = self._channels.get(key)
        if made is None:
            device = self._directory.device(self._tenant, device_full)
            durability = (device and device.durability) or "industrial"
            made = channel(
                Identity(self._tenant, device_full, CREDENTIAL, durability=durability),
                part,
                protocol=PROTOCOL,
                buckets=(),
                content_type=content_type,
            )
            if len(self._channels) >= MOST_CHANNELS:
                self._channels.clear()
            self._channels[key] = made
        return made

    def _refusal(self, made: Channel, payload: bytes, content_type: str) -> Rejected | None:
        """Say why a message can never land; whether its device is known is landing's to judge."""
        most = self._ingest.most_bytes
        if len(payload) > most:
            text = f"{len(payload):,} bytes; a message has at most {most:,}"
            return Rejected("too_large", text, limit=f"{most} bytes")
        if self._directory.is_shut(self._tenant, made.identity.device_full):
            return Rejected("not_authorised", f"{made.identity.device_full} is disabled")
        return refused(payload, content_type, made.names) if made.is_telemetry else None

    def _bury(self, said: _Said, why: Rejected, known: Channel | None = None) -> Rejected | None:
        kept, whole = said.payload[:MOST_KEPT_BYTES], len(said.payload)
        if len(kept) < whole:
            why = why._replace(text=f"{why.text}; the first {len(kept):,} are kept")
        arrival = Arrival(known or self._nobody(said.topic), kept)
        return self._ingest.bury(arrival, why, said.now, said.settle, topic=said.topic)

    def _nobody(self, topic: str) -> Channel:
        """Return the channel of a topic that names no device: its key is no device's name."""
        return Channel(
            Identity(self._tenant, "", CREDENTIAL),
            topic,
            PROTOCOL,
            TELEMETRY_DEAD.name,
            f"topic/{topic}".encode(),
            {"tenant": self._tenant.encode(), "received_at": b"", "protocol": PROTOCOL.encode()},
            (),
            (),
            is_telemetry=False,
        )

    def forget(self) -> None:
        """Look devices up again: the registry has changed."""
        self._channels.clear()
