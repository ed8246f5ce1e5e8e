"""What every listener works with: who is let in, what it may name, and where its messages go."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gateway.authentication import Authentication
from gateway.channels import (
    OWN_WORDS,
    TELEMETRY_CHANNEL,
    Channel,
    channel,
    own_part,
)
from gateway.counters import Counters
from gateway.directory import Directory
from gateway.downlink import Downlinks
from gateway.identity import Identity, Presented
from gateway.ingest import Arrival, Ingest
from gateway.limits import Limits
from gateway.lives import Lives
from gateway.outcome import Rejected
from gateway.outlet import Settle
from gateway.rules import BELOW_ROOT, Rule, rule_for, translate
from telemetry.encodings import content_type_of
from telemetry.records import JSON

LONGEST_PART = 256


class Foreign(NamedTuple):
    """What a device said on a topic that rules are asked for."""

    identity: Identity
    topic: str
    payload: bytes
    protocol: str


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

    def is_foreign(self, topic: str) -> bool:
        """Say whether a topic is for the rules to judge: it is no device's, or one names it."""
        if not self.rules:
            return False
        return not topic.startswith(BELOW_ROOT) or rule_for(self.rules, topic) is not None

    def go_by(self, rules: tuple[Rule, ...]) -> None:
        """Ask these rules from now on, in open sessions too."""
        self.rules = rules
        self.lives.look_again()

    def foreign(self, said: Foreign, *, now: int, settle: Settle) -> Rejected | None:
        """Publish a foreign topic's payload as the message that a rule makes of it.

        What no rule can read is kept as what cannot be decoded is; what a condition leaves out is
        acknowledged and counted.
        """
        identity = said.identity
        if said.topic.startswith(BELOW_ROOT):
            own = self.channel(identity, said.topic, protocol=said.protocol)
            if isinstance(own, Rejected):
                return own
        found = translate(self.rules, identity, said.topic, said.payload)
        if found is None:
            refused = self.channel(identity, said.topic, protocol=said.protocol)
            return refused if isinstance(refused, Rejected) else None
        if isinstance(found, Rejected):
            return self._unread(said, found, now, settle)
        if found.payload is None:
            self.counters.add("filtered")
            self.ingest.account.left_out()
            settle(None, None)
            return None
        if self.directory.is_shut(identity.tenant, found.device_full):
            return self.ingest.counted(
                Rejected("not_authorised", f"{found.device_full} is disabled")
            )
        content_type = content_type_of(found.payload)
        made = self._made(said, found.device_full, content_type, found.channel)
        if found.topic != made.kafka_topic:
            made = replace(made, kafka_topic=found.topic)
        return self.ingest.ingest(
            Arrival(made, found.payload, content_type), now=now, settle=settle
        )

    def _unread(self, said: Foreign, why: Rejected, now: int, settle: Settle) -> Rejected | None:
        """Keep the bytes that a rule cannot read; what is not its speaker's is only refused."""
        if why.reason != "undecodable":
            return self.ingest.counted(why)
        if len(said.payload) > self.ingest.most_bytes:
            return self.ingest.too_large(len(said.payload))
        made = self._made(said, said.identity.device_full, content_type_of(said.payload))
        empty = self.ingest.over_limit(made, now, 1)
        if empty is not None:
            return empty
        return self.ingest.bury(Arrival(made, said.payload), why, now, settle, topic=said.topic)

    def _made(
        self, said: Foreign, device_full: str, content_type: str, part: str = TELEMETRY_CHANNEL
    ) -> Channel:
        identity = said.identity
        durability = self.directory.durability(identity.tenant, device_full)
        return channel(
            identity._replace(device_full=device_full, durability=durability),
            part,
            protocol=said.protocol,
            buckets=self.limits.of(identity.tenant, identity.device_full),
            content_type=content_type,
        )

    def channel(
        self, identity: Identity, topic: str, *, protocol: str, content_type: str = JSON
    ) -> Channel | Rejected:
        """Authorise a device to publish to a topic."""
        part = own_part(topic, identity)
        if part is None or part in OWN_WORDS:
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
