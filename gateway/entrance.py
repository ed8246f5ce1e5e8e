"""What every listener works with: who is let in, what it may name, and where its messages go."""

from dataclasses import dataclass, field

from gateway.authentication import Authentication
from gateway.channels import (
    REJECTS_CHANNEL,
    TELEMETRY_CHANNEL,
    Channel,
    channel,
    own_part,
)
from gateway.counters import Counters
from gateway.directory import Directory
from gateway.downlink import Downlinks
from gateway.identity import Identity, Presented
from gateway.ingest import Ingest
from gateway.limits import Limits
from gateway.lives import Lives
from gateway.outcome import Rejected
from gateway.rules import Rule, translate
from telemetry.encodings import content_type_of
from telemetry.records import JSON

LONGEST_PART = 256


@dataclass(slots=True)
class Entrance:
    """The protocol-free half of the gateway."""

    directory: Directory
    authentication: Authentication
    limits: Limits
    ingest: Ingest
    counters: Counters
    downlinks: Downlinks = field(default_factory=Downlinks)
    rules: tuple[Rule, ...] = ()
    lives: Lives = field(init=False)

    def __post_init__(self) -> None:
        self.lives = Lives(self.directory)
        self.directory.on_change = self.lives.changed

    def login(self, presented: Presented, *, protocol: str, now: float) -> Identity | Rejected:
        """Let somebody in, or say why not."""
        found = self.authentication.authenticate(presented, now=now)
        if isinstance(found, Rejected):
            self.counters.add("connect_refusals", protocol=protocol, reason=found.reason)
        else:
            self.counters.add("connects", protocol=protocol)
        return found

    def translated(
        self, identity: Identity, topic: str, payload: bytes, *, protocol: str
    ) -> "tuple[Channel, bytes | None] | Rejected | None":
        """Turn a foreign topic's payload into a message by the rules; None if none fits.

        A payload that a rule's condition leaves out is no message: its bytes are None.
        """
        found = translate(self.rules, identity, topic, payload)
        if isinstance(found, Rejected):
            return self.ingest.counted(found)
        if found is None:
            return None
        speaker = identity._replace(device_full=found.device_full)
        buckets = self.limits.of(identity.tenant, identity.device_full)
        content_type = content_type_of(found.payload or b"")
        made = channel(
            speaker,
            TELEMETRY_CHANNEL,
            protocol=protocol,
            buckets=buckets,
            content_type=content_type,
        )
        return made, found.payload

    def channel(
        self, identity: Identity, topic: str, *, protocol: str, content_type: str = JSON
    ) -> Channel | Rejected:
        """Authorise a device to publish to a topic."""
        part = own_part(topic, identity)
        if part is None or part == REJECTS_CHANNEL:
            self.counters.add("rejected", reason="not_authorised")
            return Rejected(
                "not_authorised", f"{identity.device_full} publishes below devices/{{itself}}/ only"
            )
        if len(part) > LONGEST_PART:
            self.counters.add("rejected", reason="topic")
            return Rejected("topic", f"a topic has at most {LONGEST_PART} letters")
        buckets = self.limits.of(identity.tenant, identity.device_full)
        return channel(
            identity, part, protocol=protocol, buckets=buckets, content_type=content_type
        )
