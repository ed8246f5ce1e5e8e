"""Lives and silences as rows of their tables, and back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import cast

from services.alerts.grouping import Member
from services.alerts.life import Life, Part, dedup_key, micros, moment
from services.alerts.matching import match_of
from services.alerts.routing import GroupKey
from services.alerts.silences import Silence
from telemetry.alerts import Severity
from telemetry.alerts_history import AlertLife

Row = Mapping[str, object]
_PLAIN = tuple(each.name for each in fields(Life) if each.name not in ("parts", "switches"))


def life_of(row: Row) -> Life:
    """Return the alert of a row."""
    parts = cast("Mapping[str, tuple[bool, Severity, int]]", row["parts"])
    switches = cast("Iterable[int]", row["switches"])
    plain = {name: row[name] for name in _PLAIN}
    return Life(
        parts={
            metric: Part(is_firing, severity, moment(at))
            for metric, (is_firing, severity, at) in parts.items()
        },
        switches=tuple(moment(at) for at in switches),
        **plain,  # type: ignore[arg-type]
    )


def life_values(life: Life) -> dict[str, object]:
    """Return the columns of an alert that its life says."""
    return {
        **{name: getattr(life, name) for name in _PLAIN},
        "dedup_key": dedup_key(life),
        "parts": {
            metric: (part.is_firing, part.severity, micros(part.event_time))
            for metric, part in life.parts.items()
        },
        "switches": [micros(at) for at in life.switches],
    }


def told_life(life: Life) -> AlertLife:
    """Return what the history hears of an alert."""
    return AlertLife(
        alert_id=life.alert_id,
        tenant=life.tenant,
        rule=life.rule,
        rule_version=life.rule_version,
        severity=life.severity,
        state=life.phase,
        device_full=life.device,
        product=life.product,
        zone=life.zone,
        customer=life.customer,
        metric=life.metric,
        value=life.value,
        bound=life.bound,
        message=life.text,
        opened_at=micros(life.opened_at),
        acknowledged_at=_micros(life.acknowledged_at),
        resolved_at=_micros(life.resolved_at),
        updated_at=micros(life.updated_at),
    )


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def member_of(row: Row) -> Member:
    """Return a group's member."""
    return Member(
        cast(str, row["alert_id"]),
        cast(str, row["told"]),
        cast("datetime | None", row["told_at"]),
        cast(bool, row["is_pending"]),
        cast(str, row["held_by"]),
        cast(int, row["level"]),
        cast("datetime | None", row["escalate_at"]),
    )


def silence_of_row(row: Row) -> Silence:
    """Return a silence."""
    return Silence(
        cast(str, row["silence_id"]),
        cast(str, row["tenant"]),
        match_of(cast("Mapping[str, list[str]]", row["fields"])),
        cast(str, row["author"]),
        cast(str, row["comment"]),
        cast(datetime, row["starts_at"]),
        cast(datetime, row["ends_at"]),
    )


def group_text(key: GroupKey) -> str:
    """Return a group's key as one text."""
    return json.dumps([key.tenant, key.path, list(key.values)], ensure_ascii=False)


def group_of(text: str) -> GroupKey:
    """Read a group's key."""
    tenant, path, values = json.loads(text)
    return GroupKey(tenant, path, tuple(values))
