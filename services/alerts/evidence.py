"""What an alert was held against: its baseline, and the values of the hour before it."""

from collections.abc import Iterable, Mapping
from typing import TypedDict, cast

from sqlalchemy import Connection, bindparam, select, update

from services.alerts.life import moment
from services.alerts.tables import ALERTS
from telemetry.alerts import Alert

NAMES = ("score", "baseline", "baseline_version", "deviation", "detected_at", "evidence")
LAST = 5
Detail = Mapping[str, object]
Point = tuple[int, float | None]


class LastHour(TypedDict):
    """The hour before an alert in short: how many values, between which bounds, the last few."""

    count: int
    min: float
    max: float
    last: list[tuple[str, float]]


def detail_of(alert: Alert) -> dict[str, object]:
    """Return what a first record says beside what its alert keeps up."""
    return {name: getattr(alert, name) for name in NAMES}


def filled(detail: Detail, copy: Alert) -> dict[str, object]:
    """Return a detail with what it lacks and another copy of the same record says."""
    said = detail_of(copy)
    lacks = [name for name in NAMES if detail.get(name) in (None, [], ())]
    return {**detail, **{name: said[name] for name in lacks if said[name] not in (None, ())}}


def evidence_of(detail: Detail) -> list[Point]:
    """Return the values in their order: microseconds since 1970, and what was measured."""
    found = cast("Iterable[Point]", detail.get("evidence") or ())
    return sorted(((at, value) for at, value in found), key=lambda point: point[0])


def last_hour(detail: Detail) -> LastHour | None:
    """Return the values in short; None where the detector has told none."""
    known = [(at, value) for at, value in evidence_of(detail) if value is not None]
    if not known:
        return None
    values = [value for _, value in known]
    last = [(moment(at).isoformat(), value) for at, value in known[-LAST:]]
    return {"count": len(known), "min": min(values), "max": max(values), "last": last}


def read_details(connection: Connection, alert_ids: Iterable[str]) -> dict[str, Detail]:
    """Return what is kept of alerts; of few at once, for an hour may be many values."""
    wanted = ALERTS.c.alert_id.in_(list(alert_ids))
    query = select(ALERTS.c.alert_id, ALERTS.c.detail).where(wanted)
    return {alert_id: detail for alert_id, detail in connection.execute(query)}


def write_details(connection: Connection, details: Mapping[str, Detail]) -> None:
    """Write over what is kept of alerts."""
    rows = [{"wanted": alert_id, "said": detail} for alert_id, detail in details.items()]
    if rows:
        this = ALERTS.c.alert_id == bindparam("wanted")
        said = bindparam("said", type_=ALERTS.c.detail.type)
        connection.execute(update(ALERTS).where(this).values(detail=said), rows)
