"""The life of an alert: what a record, a person or the passing of time makes of it.

    record        person             record, person, time
    firing ─→ open ─→ acknowledged ─→ resolved
               ↑ graver    │             │ firing again within `dedup`: the same alert
               └───────────┴─────────────┘ later: another alert

One alert a device and rule: several metrics of one rule are parts of it, and it is resolved once
none of them fires. A record older than what is known of its metric changes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.alerts.configuration import Timing
from telemetry.alerts import SEVERITIES, Alert, Severity

Phase = Literal["open", "acknowledged", "resolved"]
Word = Literal["firing", "flapping", "resolved"]
Event = Literal[
    "opened", "repeated", "escalated", "de-escalated", "resolved", "reopened", "late", "unmatched"
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
AHEAD = timedelta(hours=1)
"""A record may be so far ahead of our clock."""
BY_RULE, BY_TIME = "rule", "time"


@dataclass(frozen=True, slots=True)
class Part:
    """The newest word on one metric."""

    is_firing: bool
    severity: Severity
    event_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An alert as it is now.

    `opened_at`, `last_event_at` and, where a record ended it, `resolved_at` are event times.
    """

    alert_id: str
    tenant: str
    rule: str
    rule_version: int
    severity: Severity
    text: str
    opened_at: datetime
    last_event_at: datetime
    heard_at: datetime
    updated_at: datetime
    device: str | None = None
    product: str | None = None
    zone: str | None = None
    customer: str | None = None
    metric: str | None = None
    value: float | None = None
    bound: float | None = None
    phase: Phase = "open"
    parts: Mapping[str, Part] = field(default_factory=dict)
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    records: int = 1
    switches: tuple[datetime, ...] = ()
    """When it was resolved or fired again, as far back as flapping looks."""
    is_flapping: bool = False
    is_current: bool = True
    """Whether it is the newest of its dedup key."""

    @property
    def word(self) -> Word:
        """What a person is told: one that flaps is told once, not at each change."""
        if self.is_flapping:
            return "flapping"
        return "resolved" if self.phase == "resolved" else "firing"

    @property
    def mark(self) -> str:
        """What was told, so that only a change is told again."""
        return f"{self.word}/{self.severity}" if self.word != "resolved" else "resolved"

    @property
    def lane(self) -> str:
        """What is told of one device stays in its order."""
        return self.device or f"{self.tenant}/{self.zone or ''}"


@dataclass(frozen=True, slots=True)
class Step:
    """What a record did; `life` None: it says that something is over which nobody knows of."""

    event: Event
    life: Life | None


def moment(micros: int) -> datetime:
    """Return the time of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def micros(at: datetime) -> int:
    """Return microseconds since 1970."""
    return (at - EPOCH) // TICK


def dedup_key(alert: Alert | Life) -> str:
    """Return what makes two records the same alert: tenant, rule, and device or zone."""
    about = f"device:{alert.device}" if alert.device else f"zone:{alert.zone or ''}"
    return json.dumps([alert.tenant, alert.rule, about], ensure_ascii=False)


def happened(life: Life | None, alert: Alert, now: datetime) -> datetime:
    """Return when a record says that it was, or now if its clock is ahead.

    Until a time ahead has come, nothing else that is said of the alert would count. If it is our
    own clock that was put back, the time is no earlier than what is known.
    """
    said = moment(alert.event_time)
    if said <= now + AHEAD:
        return said
    return max(now, min(said, life.last_event_at)) if life else now


def received(life: Life | None, alert: Alert, timing: Timing, now: datetime) -> Step:
    """Return what a record makes of the newest alert of its key."""
    at = happened(life, alert, now)
    is_over = life and life.phase == "resolved" and at - life.last_event_at > timing.dedup
    if life is None or is_over:
        return _first(alert, at, now)
    known = life.parts.get(alert.metric or "")
    if known and at < known.event_time:
        return Step("late", _heard(life, now))
    part = Part(alert.state == "firing", alert.severity, at)
    parts = {**life.parts, alert.metric or "": part}
    moved = replace(_heard(life, now), parts=parts, last_event_at=max(at, life.last_event_at))
    if any(each.is_firing for each in parts.values()):
        return _fires(moved, alert, at, timing)
    return _ends(moved, at, timing)


def _first(alert: Alert, at: datetime, now: datetime) -> Step:
    if alert.state == "resolved":
        return Step("unmatched", None)
    shared = ("tenant", "rule", "rule_version", "severity", "text", "device", "product", "zone")
    life = Life(
        alert_id=alert.id,
        opened_at=at,
        last_event_at=at,
        heard_at=now,
        updated_at=now,
        parts={alert.metric or "": Part(True, alert.severity, at)},
        **{
            name: getattr(alert, name) for name in (*shared, "customer", "metric", "value", "bound")
        },
    )
    return Step("opened", life)


def _fires(life: Life, alert: Alert, at: datetime, timing: Timing) -> Step:
    """Go on with an alert of which something fires; a record of it firing has the newest value."""
    severity = max(
        (part.severity for part in life.parts.values() if part.is_firing), key=SEVERITIES.index
    )
    rise = SEVERITIES.index(severity) - SEVERITIES.index(life.severity)
    event: Event = "escalated" if rise > 0 else "de-escalated" if rise < 0 else "repeated"
    after = replace(life, severity=severity)
    if alert.state == "firing":
        after = replace(
            after,
            text=alert.text,
            value=alert.value,
            bound=alert.bound,
            rule_version=alert.rule_version,
        )
    if life.phase == "resolved":
        return Step("reopened", _switched(_opened(after), at, timing))
    return Step(event, _opened(after) if event == "escalated" else after)


def _opened(life: Life) -> Life:
    """Open it again: nobody has taken on what is new or graver."""
    return replace(
        life,
        phase="open",
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
    )


def _ends(life: Life, at: datetime, timing: Timing) -> Step:
    if life.phase == "resolved":
        return Step("repeated", life)
    over_at = max(at, life.opened_at)
    ended = replace(life, phase="resolved", resolved_at=over_at, resolved_by=BY_RULE)
    return Step("resolved", _switched(ended, at, timing))


def _switched(life: Life, at: datetime, timing: Timing) -> Life:
    recent = tuple(each for each in (*life.switches, at) if at - each < timing.flap_within)
    is_flapping = life.is_flapping or len(recent) >= timing.flap_changes
    return replace(life, switches=recent, is_flapping=is_flapping)


def _heard(life: Life, now: datetime) -> Life:
    return replace(_touched(life, now), heard_at=now, records=life.records + 1)


def _touched(life: Life, now: datetime) -> Life:
    """Each version of an alert is newer than the one before, whatever the clock does."""
    return replace(life, updated_at=max(now, life.updated_at + TICK))


def acknowledged(life: Life, who: str, now: datetime) -> Life:
    """Return the alert as somebody took it on; one that is over, or taken, stays as it is."""
    if life.phase != "open":
        return life
    taken = replace(_touched(life, now), phase="acknowledged", acknowledged_by=who)
    return replace(taken, acknowledged_at=taken.updated_at)


def resolved(life: Life, who: str, now: datetime) -> Life:
    """Return the alert as somebody, or the passing of time, has ended it."""
    if life.phase == "resolved":
        return life
    parts = {name: replace(part, is_firing=False) for name, part in life.parts.items()}
    ended = replace(_touched(life, now), phase="resolved", resolved_by=who, parts=parts)
    # The clock of a device may be ahead of ours by what is allowed.
    return replace(ended, resolved_at=max(ended.updated_at, life.opened_at))


def passed(life: Life, timing: Timing, now: datetime) -> Life:
    """Return the alert as the time makes it: no longer heard of, or no longer flapping."""
    is_quiet = not life.switches or now - life.switches[-1] >= timing.flap_within
    if life.is_flapping and is_quiet:
        life = replace(_touched(life, now), is_flapping=False, switches=())
    wait = timing.resolve_after
    if wait is not None and life.phase != "resolved" and now - life.heard_at >= wait:
        return resolved(life, BY_TIME, now)
    return life
