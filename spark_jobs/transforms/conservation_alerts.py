"""Alerts of conservation: an hour of a partition, or a page of a gateway, that does not hold."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from telemetry.alerts import Alert, State, alert_id

RULE, VERSION, TENANT = "conservation", 1, "default"
MOST = 100
Place = tuple[str, datetime]
"""What does not hold, and the hour that it is of."""


def alerts(
    before: Mapping[Place, str], broken: Mapping[Place, str], now: datetime
) -> Iterator[Alert]:
    """Tell what is broken, however often, and what was broken before and holds now."""
    for place in sorted(broken)[-MOST:]:
        yield _alert(place, "firing", broken[place], now)
    for place in sorted(before.keys() - broken.keys())[-MOST:]:
        yield _alert(place, "resolved", f"{place[0]} of {place[1]:%Y-%m-%d %H:%M} holds again", now)


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
