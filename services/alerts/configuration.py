"""Who is told what, and when: the configuration as values. `configuration_file` reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.alerts.matching import EVERYTHING, Match
from telemetry.alerts import Severity

Kind = Literal["webhook", "email", "slack", "teams", "pagerduty", "sms"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_TENANT = "*"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long words about one alert belong together. `resolve_after` None: never by itself."""

    dedup: timedelta = timedelta(minutes=5)
    resolve_after: timedelta | None = timedelta(hours=24)
    flap_changes: int = 4
    flap_within: timedelta = timedelta(minutes=10)
    digest_wait: timedelta = timedelta(minutes=1)
    give_up: timedelta = timedelta(days=3)
    """A message that no try has delivered for so long is given up."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A sink. `secret` names a secret: a webhook's HMAC key, else the whole Apprise URL."""

    name: str
    kind: Kind
    url: str | None = None
    secret: str | None = None
    tenants: tuple[str, ...] = ("default",)
    timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Limit:
    """Most messages to one person within a span; the digest's is one of them."""

    messages: int = 5
    within: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody: by which receivers from which severity on, and when not."""

    name: str
    receivers: Mapping[str, Severity]
    tenants: tuple[str, ...] = ("default",)
    mute: tuple[str, ...] = ()
    limit: Limit = Limit()


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Who else is told of what nobody has acknowledged for so long."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree. `path` names it from the root on; `goes_on`: siblings behind it too."""

    path: str
    match: Match = EVERYTHING
    to: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ("rule", "zone")
    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(hours=4)
    mute: tuple[str, ...] = ()
    escalate: tuple[EscalationStep, ...] = ()
    goes_on: bool = False
    routes: tuple["Route", ...] = ()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that fits `source` is open, those that fit `target` are not told."""

    name: str
    source: Match
    target: Match
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MuteTime:
    """Hours of a week in a zone; `start` behind `end` goes over midnight, equal is all day."""

    name: str
    zone: ZoneInfo
    days: tuple[Day, ...] = DAYS
    start: time = time(0)
    end: time = time(0)


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it; `digest` tells one file from another."""

    route: Route = Route("root")
    timing: Timing = Timing()
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inhibit: tuple[Inhibition, ...] = ()
    mute_times: Mapping[str, MuteTime] = field(default_factory=dict)
    digest: str = ""

    def members(self, to: str) -> tuple[str, ...]:
        """Return the people and receivers behind a name: a team's people, or the name itself."""
        return self.teams.get(to, (to,))


def serves(tenants: tuple[str, ...], tenant: str) -> bool:
    """Say whether a person or receiver may hear of a tenant."""
    return EVERY_TENANT in tenants or tenant in tenants
