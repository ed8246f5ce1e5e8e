"""Alerts of conservation: an hour of a partition, or a page of a gateway, that does not hold."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from telemetry.alerts import Alert, State, alert_id

RULE, VERSION, TENANT = "conservation", 1, "default"
MOST = 100
RECENT = timedelta(days=14)
"""How long what does not hold is told of."""
Place = tuple[str, datetime]
"""What does not hold, and the hour that it is of."""


@dataclass(frozen=True, slots=True)
class News:
    """What is told: places that do not hold, and those that were told of and are over."""

    firing: tuple[Place, ...]
    over: tuple[Place, ...]

    def told(self, before: Collection[Place]) -> list[Place]:
        """Return of which places it is told now that they do not hold."""
        return sorted({*before, *self.firing} - {*self.over})


def news(before: Collection[Place], broken: Collection[Place]) -> News:
    """Return what is to be told where `before` was told of, the newest first to be known."""
    over = {*before} - {*broken}
    return News(tuple(sorted(broken)[-MOST:]), tuple(sorted(over)[-MOST:]))


def alerts(found: News, broken: Mapping[Place, str], now: datetime) -> Iterator[Alert]:
    """Tell what is broken, however often, and what was broken before and is over."""
    for place in found.firing:
        yield _alert(place, "firing", broken[place], now)
    for place in found.over:
        yield _alert(place, "resolved", _ending(place, now), now)


def _ending(place: Place, now: datetime) -> str:
    name, hour = place
    if hour.date() >= (now - RECENT).date():
        return f"{name} of {hour:%Y-%m-%d %H:%M} holds again"
    return (
        f"{name} of {hour:%Y-%m-%d %H:%M} is told of no longer: it did not come to hold within"
        f" {RECENT.days} days"
    )


def _alert(place: Place, state: State, text: str, now: datetime) -> Alert:
    name, hour = place
    at = _micros(hour)
    part = f"{name} {hour:%Y-%m-%dT%H}"
    key = part if state == "firing" else f"{part}:resolved"
    return Alert(
        id=alert_id(RULE, VERSION, TENANT, None, at, key),
        tenant=TENANT,
        rule=RULE,
        rule_version=VERSION,
        state=state,
        severity="critical",
        event_time=at,
        detected_at=_micros(now),
        text=text[:4000],
        # People are told of one alert, which is over once all its parts are.
        metric=part,
    )


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
