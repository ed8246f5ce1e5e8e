"""Takes records: which alert each belongs to, what it makes of it, and what is told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from services.alerts.book import Book
from services.alerts.configuration import Route
from services.alerts.grouping import Member, first_look, is_pending
from services.alerts.life import Event, Life, dedup_key, received
from services.alerts.routing import GroupKey, group_key, routes_of
from services.alerts.rows import detail_of, group_of, group_text
from services.alerts.tables import MEMBERS, RECORDS
from services.alerts.telling import Pair, Telling, sifted, tell
from services.alerts.work import Work, in_groups
from telemetry.alerts import Alert

ANEW: frozenset[Event] = frozenset({"opened", "reopened", "escalated"})
"""What begins an escalation again: nobody has taken it on."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a record: the alert that it belongs to, None where there is none."""

    event: str
    alert_id: str | None


def take(
    work: Work, book: Book, alerts: Sequence[Alert], digests: Mapping[str, str] | None = None
) -> list[Taken]:
    """Take records in their order; one that was taken before is told as what it was then."""
    known = _known(work, alerts)
    lives = work.current({dedup_key(alert) for alert in alerts})
    before = dict(lives)
    superseded, taken, events = list[str](), list[Taken](), dict[str, Event]()
    for alert in alerts:
        place = (alert.id, alert.state)
        if place in known:
            taken.append(known[place])
            continue
        key, step = (
            dedup_key(alert),
            received(lives.get(dedup_key(alert)), alert, book.configuration.timing, work.now),
        )
        former, life = lives.get(key), step.life
        if life and former and life.alert_id != former.alert_id:
            superseded.append(former.alert_id)
            if former.alert_id in events:
                work.put_life(former, is_current=False)
        if life:
            lives[key] = life
            events[life.alert_id] = _graver(events.get(life.alert_id), step.event)
        known[place] = _noted(work, alert, life, step.event, (digests or {}).get(alert.id))
        taken.append(known[place])
    work.supersede(superseded)
    touched = [life for life in lives.values() if life.alert_id in events]
    for life in touched:
        work.put_life(life)
    marks = {life.alert_id: life.mark for life in before.values()}
    moved(work, book, [one for one in touched if marks.get(one.alert_id) != one.mark], events)
    return taken


def _known(work: Work, alerts: Sequence[Alert]) -> dict[tuple[str, str], Taken]:
    columns = (RECORDS.c.record_id, RECORDS.c.state, RECORDS.c.event, RECORDS.c.alert_id)
    found = {}
    for some in in_groups({alert.id for alert in alerts}):
        query = select(*columns).where(RECORDS.c.record_id.in_(some))
        for record_id, state, event, alert_id in work.connection.execute(query):
            found[record_id, state] = Taken(event, alert_id)
    return found


def _graver(before: Event | None, event: Event) -> Event:
    """Return what of two events of one batch says more: that it begins anew."""
    return before if before in ANEW else event


def _noted(work: Work, alert: Alert, life: Life | None, event: Event, digest: str | None) -> Taken:
    alert_id = life.alert_id if life else None
    work.record(
        record_id=alert.id,
        state=alert.state,
        tenant=alert.tenant,
        alert_id=alert_id,
        event=event,
        digest=digest,
    )
    if life:
        if event == "opened":
            work.put_detail(life.alert_id, detail_of(alert))
        facts = {"event": event, "record": alert.id, "dedup_key": dedup_key(alert)}
        told = {"state": alert.state, "severity": alert.severity, "metric": alert.metric}
        work.note(life, "received", {**facts, **told, "value": alert.value})
    return Taken(event, alert_id)


def moved(work: Work, book: Book, lives: Sequence[Life], events: Mapping[str, Event]) -> None:
    """Let the groups of alerts know what is to be told, and tell at once what cannot wait."""
    for life in lives:
        book.sources.note(life)
    known = _members(work, lives)
    urgent: dict[str, tuple[Telling, list[Pair]]] = {}
    joined: dict[str, Route] = {}
    for life in lives:
        for text, (route, key) in _groups(work, book, life, known[life.alert_id]).items():
            before = known[life.alert_id].get(text)
            member = _member(work, before, life, route, events.get(life.alert_id))
            work.put_member(text, member)
            joined[text] = route
            if member.is_pending and life.severity == "critical" and life.word == "firing":
                telling = Telling("alerts", route, key, text)
                urgent.setdefault(text, (telling, []))[1].append((member, life))
    there = work.groups(joined)
    for text, route in joined.items():
        if text not in there:
            work.put_group(text, first_look(route, work.now))
    for telling, pairs in urgent.values():
        free = sifted(work, book, telling, pairs)
        if free:
            tell(work, book, telling, free)


def _members(work: Work, lives: Sequence[Life]) -> dict[str, dict[str, Member]]:
    """Return the groups that each alert is in."""
    found: dict[str, dict[str, Member]] = {life.alert_id: {} for life in lives}
    for some in in_groups(found):
        for text, member in work.members(MEMBERS.c.alert_id.in_(some)):
            found[member.alert_id][text] = member
    return found


def _groups(
    work: Work, book: Book, life: Life, known: Mapping[str, Member]
) -> dict[str, tuple[Route, GroupKey]]:
    """Return the groups that must hear of an alert: of its routes now, and where it was told."""
    found = {}
    for route in routes_of(book.configuration.route, life):
        key = group_key(route, life)
        text = group_text(key)
        if text not in known:
            to = [*route.to] or "nobody"
            work.note(life, "routed", {"route": route.path, "group": text, "to": to})
        if route.to or route.escalate:
            found[text] = (route, key)
    for text, member in known.items():
        former = group_of(text)
        if text not in found and member.told and former.path in book.routes:
            found[text] = (book.routes[former.path], former)
        elif text not in found:
            work.drop_members(text, [life.alert_id])
    return found


def _member(
    work: Work, before: Member | None, life: Life, route: Route, event: Event | None
) -> Member:
    """Return an alert as a member of a group, its escalation begun anew where it must."""
    known = before or Member(life.alert_id)
    member = replace(known, is_pending=is_pending(known, life))
    if life.phase != "open" or not route.escalate:
        return replace(member, escalate_at=None)
    if before is None or event in ANEW:
        return replace(member, level=0, escalate_at=work.now + route.escalate[0].after)
    return member
