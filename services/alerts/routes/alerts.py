"""Alerts: taken from elsewhere, listed, acknowledged, resolved."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, Connection, literal, select, tuple_

from services.alerts.evidence import Detail, evidence_of, read_details
from services.alerts.life import Life, Phase, micros, moment
from services.alerts.routes.steps import AskedSteps, StepsOut, steps_out
from services.alerts.rows import life_of
from services.alerts.served import Access, Operator, Viewer, Words
from services.alerts.tables import ALERTS, RECORDS
from services.alerts.trail import alert_of, alert_trail
from services.alerts.work import LIFE_COLUMNS
from services.moments import Moment, SaidTime
from services.problems import Problem, not_found
from telemetry.alerts import Alert, Severity
from telemetry.devices import check_name, split_full_name
from telemetry.errors import DeviceError

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])
Key = Annotated[str, StringConstraints(min_length=1, max_length=255)]
AlertId = Annotated[str, StringConstraints(pattern="^[!-~]{1,100}$")]
"""What could be an id: of one that is none there is no alert."""


class AlertIn(BaseModel):
    """An alert of another system; `state` resolved says that it is over."""

    model_config = ConfigDict(extra="forbid")

    rule: Words
    severity: Severity
    text: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    state: Literal["firing", "resolved"] = "firing"
    device: Words | None = None
    zone: Words | None = None
    customer: Words | None = None
    metric: Words | None = None
    value: float | None = Field(default=None, allow_inf_nan=False)
    bound: float | None = Field(default=None, allow_inf_nan=False)
    event_time: SaidTime | None = Field(default=None, description="default: now")


class TakenOut(BaseModel):
    """What became of a posted alert: its own id, and the alert that it belongs to."""

    id: str
    alert_id: str | None
    event: str


class AlertOut(BaseModel):
    """An alert as it is now."""

    alert_id: str
    tenant: str
    rule: str
    rule_version: int
    severity: Severity
    state: Phase
    is_flapping: bool
    device: str | None
    product: str | None
    zone: str | None
    customer: str | None
    metric: str | None
    value: float | None
    bound: float | None
    text: str
    records: int
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class PointOut(BaseModel):
    """A value of the hour before an alert."""

    at: datetime
    value: float | None


class AlertDetailOut(AlertOut):
    """An alert as it is now, and what its detector held it against."""

    detected_at: datetime | None
    score: float | None
    baseline: float | None
    baseline_version: str | None
    deviation: float | None
    evidence: list[PointOut]


class AlertsOut(BaseModel):
    """A page of alerts, the newest change first; `next` is the `after` of the following page."""

    alerts: list[AlertOut]
    next: str | None


class TrailOut(StepsOut):
    """An alert, and what was decided and done about it."""

    alert: AlertOut


class Filters(BaseModel):
    """Which alerts are wanted."""

    model_config = ConfigDict(extra="forbid")

    tenant: Words | None = None
    state: Literal["open", "acknowledged", "resolved", "unresolved"] | None = None
    severity: Severity | None = None
    rule: Words | None = None
    device: Words | None = None
    zone: Words | None = None
    after: Annotated[str, StringConstraints(pattern="^[0-9]{1,17}-[0-9a-f]{32}$")] | None = None
    limit: int = Field(default=100, ge=1, le=1000)


@router.post("", status_code=HTTPStatus.ACCEPTED)
def post_alert(
    wanted: AlertIn, access: Operator, idempotency_key: Annotated[Key, Header()]
) -> TakenOut:
    """Take an alert; the same key again is the same alert, and gets the same answer."""
    said = wanted.model_dump_json()
    digest = hashlib.sha256(said.encode()).hexdigest()
    alert = _alert(wanted, access, idempotency_key)
    with access.engine.turns.reading() as connection:
        query = select(RECORDS.c.digest).where(RECORDS.c.record_id == alert.id)
        known = connection.execute(query).scalar()
    if known not in (None, digest):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "this Idempotency-Key came with another alert before"
        )
    taken = access.engine.take([alert], {alert.id: digest})[0]
    return TakenOut(id=alert.id, alert_id=taken.alert_id, event=taken.event)


def _alert(wanted: AlertIn, access: Access, key: str) -> Alert:
    now = access.engine.now()
    if wanted.device is not None:
        try:
            check_name(wanted.device)
        except DeviceError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"device: {error}") from error
    named = "\x1f".join(("posted", access.tenant, key))
    return Alert(
        id=hashlib.sha256(named.encode()).hexdigest()[:32],
        tenant=access.tenant,
        rule_version=0,
        event_time=micros((wanted.event_time or now).astimezone(UTC)),
        detected_at=micros(now),
        product=split_full_name(wanted.device)[0] if wanted.device else None,
        **wanted.model_dump(exclude={"event_time"}),
    )


@router.get("")
def list_alerts(filters: Annotated[Filters, Query()], access: Viewer) -> AlertsOut:
    """List alerts, a page at a time."""
    query = select(*LIFE_COLUMNS).where(*_conditions(filters, access.tenant))
    ordered = query.order_by(ALERTS.c.updated_at.desc(), ALERTS.c.alert_id.desc())
    with access.engine.turns.reading() as connection:
        rows = connection.execute(ordered.limit(filters.limit + 1)).mappings().all()
    found = [life_of(cast("Mapping[str, object]", row)) for row in rows]
    page = found[: filters.limit]
    more = len(found) > len(page)
    following = f"{micros(page[-1].updated_at)}-{page[-1].alert_id}" if more else None
    return AlertsOut(alerts=[alert_out(life) for life in page], next=following)


def _conditions(filters: Filters, tenant: str) -> list[ColumnElement[bool]]:
    named = ("severity", "rule", "device", "zone")
    asked = {name: getattr(filters, name) for name in named}
    conditions = [ALERTS.c[name] == value for name, value in asked.items() if value is not None]
    if filters.state == "unresolved":
        conditions.append(ALERTS.c.phase != "resolved")
    elif filters.state:
        conditions.append(ALERTS.c.phase == filters.state)
    if filters.after:
        at, _, alert_id = filters.after.partition("-")
        place = tuple_(literal(moment(int(at)), Moment()), literal(alert_id))
        conditions.append(tuple_(ALERTS.c.updated_at, ALERTS.c.alert_id) < place)
    return [ALERTS.c.tenant == tenant, *conditions]


@router.get("/{alert_id}")
def show_alert(alert_id: AlertId, access: Viewer) -> AlertDetailOut:
    """Show an alert, by its own id or that of a record that belongs to it, with its evidence."""
    with access.engine.turns.reading() as connection:
        life = _found(connection, access.tenant, alert_id)
        detail = read_details(connection, [life.alert_id])[life.alert_id]
    return _detail_out(life, detail)


@router.get("/{alert_id}/trail")
def show_trail(alert_id: AlertId, asked: AskedSteps, access: Viewer) -> TrailOut:
    """Show why it was told to whom, or why not, with every try of a delivery: a page at a time."""
    with access.engine.turns.reading() as connection:
        life = _found(connection, access.tenant, alert_id)
        page = alert_trail(connection, access.tenant, life.alert_id, asked.asked())
    return TrailOut(alert=alert_out(life), **dict(steps_out(page)))


@router.post("/{alert_id}/acknowledge")
def acknowledge_alert(alert_id: AlertId, access: Operator) -> AlertOut:
    """Take an alert on: it is repeated and escalated no more, unless it becomes graver."""
    own = _own_id(access, alert_id)
    return _changed(access.engine.acknowledge(access.tenant, own, access.caller.actor), alert_id)


@router.post("/{alert_id}/resolve")
def resolve_alert(alert_id: AlertId, access: Operator) -> AlertOut:
    """End an alert; a record of it firing within the dedup time opens it again."""
    own = _own_id(access, alert_id)
    return _changed(access.engine.resolve(access.tenant, own, access.caller.actor), alert_id)


def _own_id(access: Access, given: str) -> str:
    with access.engine.turns.reading() as connection:
        return _found(connection, access.tenant, given).alert_id


def _changed(life: Life | None, alert_id: str) -> AlertOut:
    if life is None:
        raise not_found("alert", alert_id)
    return alert_out(life)


def _found(connection: Connection, tenant: str, given: str) -> Life:
    own = alert_of(connection, tenant, given) or given
    query = select(*LIFE_COLUMNS).where(ALERTS.c.tenant == tenant, ALERTS.c.alert_id == own)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise not_found("alert", given)
    return life_of(cast("Mapping[str, object]", row))


def alert_out(life: Life) -> AlertOut:
    """Return an alert as it is answered."""
    named = {name: getattr(life, name) for name in AlertOut.model_fields if name != "state"}
    return AlertOut(state=life.phase, **named)


def _detail_out(life: Life, detail: Detail) -> AlertDetailOut:
    names = ("score", "baseline", "baseline_version", "deviation")
    said = cast("dict[str, Any]", {name: detail.get(name) for name in names})
    found_at = cast("int | None", detail.get("detected_at"))
    return AlertDetailOut(
        **alert_out(life).model_dump(),
        **said,
        detected_at=None if found_at is None else moment(found_at),
        evidence=[PointOut(at=moment(at), value=value) for at, value in evidence_of(detail)],
    )
