"""Groups: when one is told, and what of it."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.alerts.configuration import Route
from services.alerts.life import Life


@dataclass(frozen=True, slots=True)
class Member:
    """An alert in a group: what was told of it last, and what keeps it from being told."""

    alert_id: str
    told: str = ""
    told_at: datetime | None = None
    is_pending: bool = True
    held_by: str = ""
    level: int = 0
    """How many steps of its escalation were taken."""
    escalate_at: datetime | None = None


def first_look(route: Route, now: datetime) -> datetime:
    """Return when a new group is told: it waits for others before."""
    return now + route.group_wait


def next_look(route: Route, now: datetime) -> datetime:
    """Return when a group is looked at again."""
    return now + route.group_interval


def is_pending(member: Member, life: Life) -> bool:
    """Say whether something of an alert was not told yet."""
    return member.told != life.mark


def is_dropped(member: Member, life: Life) -> bool:
    """Say that it was over before what held it let go: nobody needs to hear of it."""
    return bool(life.phase == "resolved" and not member.told and member.held_by)


def is_done(life: Life) -> bool:
    """Say whether there is nothing more to tell of an alert whose newest word was told."""
    return life.phase == "resolved" and not life.is_flapping


def repeats(member: Member, life: Life, route: Route, now: datetime) -> bool:
    """Say whether an alert is told again: nobody has taken it on for long."""
    is_old = member.told_at is not None and now - member.told_at >= route.repeat
    return is_old and life.phase == "open" and not is_pending(member, life)


def told(member: Member, life: Life, now: datetime) -> Member:
    """Return a member as it is once its alert's newest word was told."""
    return replace(member, told=life.mark, told_at=now, is_pending=False, held_by="")
