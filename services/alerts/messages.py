"""What a sink is told: the content of a message, its subject and its text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal, TypedDict, cast

from services.alerts.counting import counted
from services.alerts.evidence import Detail, LastHour, last_hour
from services.alerts.life import Life
from services.alerts.routing import GroupKey
from telemetry.alerts import SEVERITIES

Kind = Literal["alerts", "repeat", "escalation", "digest", "test"]
MOST_LISTED = 50
Content = dict[str, object]


class Listed(TypedDict):
    """An alert as a message lists it."""

    alert_id: str
    state: str
    severity: str
    rule: str
    device: str | None
    zone: str | None
    customer: str | None
    metric: str | None
    value: float | None
    bound: float | None
    baseline: float | None
    last_hour: LastHour | None
    text: str
    opened_at: str


def gravest(lives: Iterable[Life]) -> list[Life]:
    """Return the alerts that a message lists."""
    return sorted(lives, key=_gravest_first)[:MOST_LISTED]


def content(
    kind: Kind,
    lives: Sequence[Life],
    now: datetime,
    *,
    group: GroupKey | None = None,
    details: Mapping[str, Detail] | None = None,
) -> Content:
    """Return a message: the counts of all its alerts, and the gravest of them listed."""
    known = details or {}
    return {
        "v": 1,
        "kind": kind,
        "made_at": now.isoformat(),
        "route": group.path if group else None,
        "group": list(group.values) if group else [],
        "counts": asdict(counted(lives)),
        "alerts": [_listed(life, known.get(life.alert_id, {})) for life in gravest(lives)],
        "more": max(0, len(lives) - MOST_LISTED),
    }


def _gravest_first(life: Life) -> tuple[bool, int, datetime]:
    return life.word == "resolved", -SEVERITIES.index(life.severity), life.opened_at


def _listed(life: Life, detail: Detail) -> Listed:
    return {
        "alert_id": life.alert_id,
        "state": life.word,
        "severity": life.severity,
        "rule": life.rule,
        "device": life.device,
        "zone": life.zone,
        "customer": life.customer,
        "metric": life.metric,
        "value": life.value,
        "bound": life.bound,
        "baseline": cast("float | None", detail.get("baseline")),
        "last_hour": last_hour(detail),
        "text": life.text,
        "opened_at": life.opened_at.isoformat(),
    }


def lanes(lives: Iterable[Life]) -> list[str]:
    """Return whose order a message keeps, however many they are."""
    return sorted({life.lane for life in lives})


def subject(told: Content) -> str:
    """Return a message's first line."""
    counts, listed = _counts(told), _alerts(told)
    if told["kind"] == "test":
        return "Headwater: a test, nothing is wrong"
    prefix = {"digest": "Digest: ", "repeat": "Still: ", "escalation": "Escalated: "}
    head = prefix.get(str(told["kind"]), "")
    if counts["alerts"] == 1 and listed:
        one = listed[0]
        about = one["device"] or one["zone"] or "all"
        return f"{head}{_word(one)} {one['rule']} at {about}"
    return f"{head}{counts['alerts']} alerts: {_split(counts['by_severity'])}"


def _word(one: Listed) -> str:
    return one["severity"] if one["state"] == "firing" else f"{one['severity']} {one['state']}"


def text(told: Content, key: str) -> str:
    """Return a message for a person; `key` tells one message from another."""
    counts, lines = _counts(told), []
    if told["kind"] == "test":
        lines = ["Somebody tries whether this reaches you."]
    elif counts["alerts"] != 1:
        names = ("by_word", "by_severity", "by_rule", "by_zone")
        lines = [f"{name[3:]}: {_split(counts[name])}" for name in names]
    lines += [f"- {_word(one)}: {one['text']} [{one['alert_id']}]" for one in _alerts(told)]
    if counts["alerts"] == 1:
        lines += [line for one in _alerts(told) for line in _beside(one)]
    if told["more"]:
        lines.append(f"and {told['more']} more: headwater alerts list")
    return "\n".join([*lines, f"message {key}"])


def _beside(one: Listed) -> list[str]:
    """Say what an alert was held against; what an earlier release has queued says less."""
    said, hour = [], one.get("last_hour")
    if one.get("customer"):
        said.append(f"customer: {one['customer']}")
    if one.get("baseline") is not None:
        said.append(f"usual: {one['baseline']:g}")
    if hour:
        last = ", ".join(f"{value:g}" for _, value in hour["last"])
        bounds = f"{hour['min']:g} to {hour['max']:g}"
        said.append(f"last hour: {hour['count']} values, {bounds}; the last {last}")
    return said


def _split(found: object) -> str:
    return ", ".join(f"{count} {name}" for name, count in dict(found).items())  # type: ignore[call-overload]


def _counts(told: Content) -> dict[str, object]:
    found = told["counts"]
    assert isinstance(found, dict)
    return found


def _alerts(told: Content) -> list[Listed]:
    found = told["alerts"]
    assert isinstance(found, list)
    return found
