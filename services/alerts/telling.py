"""Tells a route's people and receivers of alerts, or notes for each why not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.alerts import budget
from services.alerts.book import Book
from services.alerts.configuration import EscalationStep, Person, Route, serves
from services.alerts.grouping import Member, is_done, is_dropped, told
from services.alerts.life import Life
from services.alerts.messages import Kind
from services.alerts.mute_times import muted_by
from services.alerts.routing import GroupKey
from services.alerts.silences import silence_of
from services.alerts.work import Wanted, Work
from telemetry.alerts import SEVERITIES, Severity

Pair = tuple[Member, Life]


@dataclass(frozen=True, slots=True)
class Telling:
    """Which group of which route is told, and how."""

    kind: Kind
    route: Route
    group: GroupKey
    group_text: str


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps an alert from being told; `text` tells one hold from another."""

    step: str
    facts: dict[str, object]

    @property
    def text(self) -> str:
        """Return what the member notes."""
        return " ".join([self.step, *(str(fact) for fact in self.facts.values())])


def hold_of(book: Book, route: Route, life: Life, now: datetime) -> Hold | None:
    """Return what keeps an alert from being told now: inhibition, silence, a mute time."""
    inhibitor = book.sources.inhibitor(life)
    if inhibitor:
        return Hold("inhibited", {"by": inhibitor.alert_id, "rule": inhibitor.rule})
    silence = silence_of(book.silences.values(), life, now)
    if silence:
        facts = {"silence": silence.silence_id, "author": silence.author}
        return Hold("silenced", {**facts, "until": silence.ends_at.isoformat()})
    mute = muted_by(route.mute, book.configuration.mute_times, now)
    if mute and life.severity != "critical":
        return Hold("muted", {"mute_time": mute, "route": route.path})
    return None


def sifted(work: Work, book: Book, telling: Telling, pairs: Iterable[Pair]) -> list[Pair]:
    """Return what may be told; of the rest, note once what holds it back."""
    free = []
    for member, life in pairs:
        hold = hold_of(book, telling.route, life, work.now)
        if is_dropped(member, life):
            work.note(life, "dropped", {"group": telling.group_text, "held_by": member.held_by})
            work.drop_members(telling.group_text, [life.alert_id])
        elif hold is None:
            free.append((member, life))
        elif hold.text != member.held_by:
            work.note(life, hold.step, {**hold.facts, "group": telling.group_text})
            work.put_member(telling.group_text, replace(member, held_by=hold.text))
    return free


def tell(work: Work, book: Book, telling: Telling, pairs: Sequence[Pair]) -> None:
    """Tell the group's alerts to all of the route, and to whom an escalation has told of them."""
    _tell_all(work, book, telling, telling.route.to, [life for _, life in pairs])
    for number, step in enumerate(telling.route.escalate):
        reached = [life for member, life in pairs if member.level > number]
        _tell_all(work, book, telling, step.to, reached)
    for member, life in pairs:
        if is_done(life):
            work.drop_members(telling.group_text, [life.alert_id])
        else:
            work.put_member(telling.group_text, told(member, life, work.now))


def escalate(
    work: Work, book: Book, telling: Telling, step: EscalationStep, lives: Sequence[Life]
) -> None:
    """Tell the step's people of what nobody has acknowledged."""
    _tell_all(work, book, telling, step.to, lives)


def _tell_all(
    work: Work, book: Book, telling: Telling, to: Sequence[str], lives: Sequence[Life]
) -> None:
    names = dict.fromkeys(name for each in to for name in book.configuration.members(each))
    for name in names if lives else ():
        person = book.configuration.people.get(name)
        if person:
            _tell_person(work, book, telling, person, lives)
        else:
            _tell_receiver(work, book, telling, name, lives)


def _tell_receiver(
    work: Work, book: Book, telling: Telling, name: str, lives: Sequence[Life]
) -> None:
    receiver = book.configuration.receivers[name]
    if not serves(receiver.tenants, telling.group.tenant):
        _note(work, lives, "foreign", {"receiver": name})
        return
    key = work.queue(_wanted(telling, name, lives))
    _note(work, lives, "told", {**_how(telling), "receiver": name, "message": key})


def _tell_person(
    work: Work, book: Book, telling: Telling, person: Person, lives: Sequence[Life]
) -> None:
    """Tell a person by each receiver what it is for; what is too much waits for the digest."""
    if not serves(person.tenants, telling.group.tenant):
        _note(work, lives, "foreign", {}, person.name)
        return
    new = _not_yet(work, telling, person, lives)
    least = min((SEVERITIES.index(one) for one in person.receivers.values()), default=None)
    wanted = [one for one in new if least is not None and SEVERITIES.index(one.severity) >= least]
    below = {life.alert_id for life in new} - {life.alert_id for life in wanted}
    _note(work, [one for one in new if one.alert_id in below], "below", {}, person.name)
    parts = {
        receiver: some
        for receiver, minimum in person.receivers.items()
        if (some := [one for one in wanted if _reaches(one, minimum)])
    }
    if parts:
        _send_or_hold(work, book, telling, person, parts)


def _send_or_hold(
    work: Work, book: Book, telling: Telling, person: Person, parts: dict[str, list[Life]]
) -> None:
    lives = list({life.alert_id: life for some in parts.values() for life in some}.values())
    is_critical = any(life.severity == "critical" and life.word == "firing" for life in lives)
    mute = None if is_critical else muted_by(person.mute, book.configuration.mute_times, work.now)
    sent = [*book.sent_to(person.name, work.now), *work.sent_to(person.name)]
    use: budget.Use = "critical" if is_critical else "other"
    if mute:
        work.hold(person.name, lives)
        _note(work, lives, "held", {**_how(telling), "mute_time": mute}, person.name)
    elif not budget.admits(sent, person.limit, use, work.now, len(parts)):
        work.hold(person.name, lives)
        counted = budget.used(sent, person.limit, work.now)
        facts = {**_how(telling), "sent": counted, "limit": person.limit.messages}
        _note(work, lives, "limited", facts, person.name)
    else:
        for receiver, some in parts.items():
            key = work.queue(_wanted(telling, receiver, some, person.name))
            facts = {**_how(telling), "receiver": receiver, "message": key}
            _note(work, some, "told", facts, person.name)


def _not_yet(work: Work, telling: Telling, person: Person, lives: Sequence[Life]) -> list[Life]:
    """Return what a person is not told of in this same moment through another route."""
    new = [one for one in lives if (person.name, one.alert_id, one.mark) not in work.told]
    work.told |= {(person.name, one.alert_id, one.mark) for one in new}
    if len(new) < len(lives):
        known = {one.alert_id for one in new}
        again = [one for one in lives if one.alert_id not in known]
        _note(work, again, "told_already", _how(telling), person.name)
    return new


def _reaches(life: Life, minimum: Severity) -> bool:
    return SEVERITIES.index(life.severity) >= SEVERITIES.index(minimum)


def _wanted(
    telling: Telling, receiver: str, lives: Sequence[Life], person: str | None = None
) -> Wanted:
    return Wanted(
        kind=telling.kind,
        tenant=telling.group.tenant,
        receiver=receiver,
        person=person,
        group=telling.group,
        lives=lives,
        is_urgent=any(life.severity == "critical" for life in lives),
    )


def _how(telling: Telling) -> dict[str, object]:
    return {"kind": telling.kind, "route": telling.route.path, "group": telling.group_text}


def _note(
    work: Work,
    lives: Iterable[Life],
    step: str,
    facts: dict[str, object],
    person: str | None = None,
) -> None:
    for life in lives:
        work.note(life, step, facts, person)
