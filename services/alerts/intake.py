"""Takes records: which alert each belongs to, what it makes of it, and what is told at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select

from services.alerts.book import Book
from services.alerts.configuration import Route, Timing
from services.alerts.evidence import detail_of, filled
from services.alerts.grouping import Member, first_look, is_pending
from services.alerts.life import AHEAD, Event, Life, Step, dedup_key, moment, received
from services.alerts.routing import GroupKey, group_key, routes_of
from services.alerts.rows import group_of, group_text
from services.alerts.tables import MEMBERS, RECORDS
from services.alerts.telling import Pair, Telling, sifted, tell
from services.alerts.work import Work
from services.alerts.writing import in_groups
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
    batch = _Batch(work.current({dedup_key(alert) for alert in alerts}))
    marks = {life.alert_id: life.mark for life in batch.current.values()}
    taken, copies = [], []
    for alert in alerts:
        place = (alert.id, alert.state)
        if place in known:
            copies.append(alert)
        else:
            step = batch.step(alert, book.configuration.timing, work.now)
            known[place] = _noted(work, alert, step, (digests or {}).get(alert.id))
        taken.append(known[place])
    _fill(work, copies)
    work.supersede(batch.superseded)
    for life in batch.touched.values():
        work.put_life(life)
    _hear(work, {known[copy.id, copy.state].alert_id for copy in copies if copy.state == "firing"})
    changed = [one for one in batch.touched.values() if marks.get(one.alert_id) != one.mark]
    moved(work, book, changed, batch.events)
    return taken


@dataclass(slots=True)
class _Batch:
    """What records have made of alerts so far: one may end and another begin within a batch."""

    current: dict[str, Life]
    """The newest alert of each dedup key."""
    touched: dict[str, Life] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    superseded: list[str] = field(default_factory=list)

    def step(self, alert: Alert, timing: Timing, now: datetime) -> Step:
        """Take one record."""
        key = dedup_key(alert)
        former = self.current.get(key)
        step = received(former, alert, timing, now)
        life = step.life
        if life is None:
            return step
        if former and former.alert_id != life.alert_id:
            self.superseded.append(former.alert_id)
            if former.alert_id in self.touched:
                self.touched[former.alert_id] = replace(former, is_current=False)
        self.current[key] = self.touched[life.alert_id] = life
        before = self.events.get(life.alert_id)
        # Of two events, that something begins anew says more.
        self.events[life.alert_id] = before if before in ANEW else step.event
        return step


def _known(work: Work, alerts: Sequence[Alert]) -> dict[tuple[str, str], Taken]:
    columns = (RECORDS.c.record_id, RECORDS.c.state, RECORDS.c.event, RECORDS.c.alert_id)
    found = {}
    for some in in_groups({alert.id for alert in alerts}):
        query = select(*columns).where(RECORDS.c.record_id.in_(some))
        for record_id, state, event, alert_id in work.connection.execute(query):
            found[record_id, state] = Taken(event, alert_id)
    return found


def _noted(work: Work, alert: Alert, step: Step, digest: str | None) -> Taken:
    life, event = step.life, step.event
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
        said = moment(alert.event_time)
        ahead = {"clock": "ahead", "said": said.isoformat()} if said > work.now + AHEAD else {}
        work.note(life, "received", {**facts, **told, "value": alert.value, **ahead})
    return Taken(event, alert_id)


def _hear(work: Work, alert_ids: Collection[str | None]) -> None:
    """Note that a detector still tells of alerts: what lasts is not over, whenever it began."""
    lives = work.by_id([name for name in alert_ids if name is not None])
    for life in lives.values():
        if life.phase != "resolved":
            work.put_life(replace(life, heard_at=work.now))


def _fill(work: Work, copies: Sequence[Alert]) -> None:
    """Keep what an alert's first record left out: scoring says more than the fast lane."""
    richer = {copy.id: copy for copy in copies if copy.evidence or copy.baseline is not None}
    for alert_id, detail in work.details(richer).items():
        fuller = filled(detail, richer[alert_id])
        if fuller != detail:
            work.mend_detail(alert_id, fuller)


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
