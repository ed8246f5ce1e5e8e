"""What time brings: alerts that end by themselves, groups, escalations and digests that are due."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import delete, func, or_, select

from services.alerts import budget
from services.alerts.book import Book
from services.alerts.configuration import Person, serves
from services.alerts.grouping import Member, is_pending, next_look, repeats
from services.alerts.intake import moved
from services.alerts.life import Life, passed
from services.alerts.mute_times import muted_by
from services.alerts.rows import group_of
from services.alerts.tables import ALERTS, HELD, MEMBERS
from services.alerts.telling import Pair, Telling, escalate, sifted, tell
from services.alerts.work import Wanted, Work
from services.alerts.writing import AT_ONCE
from telemetry.alerts import SEVERITIES

LONGEST = 5
"""A digest waits until nothing more comes for a while, but no longer than so many such whiles."""


def tick(work: Work, book: Book) -> None:
    """Do what is due."""
    _pass_time(work, book)
    for text in work.due_groups():
        _look_at(work, book, text)
    _escalate(work, book)
    for person in book.configuration.people.values():
        _digest(work, book, person)


def _pass_time(work: Work, book: Book) -> None:
    """End alerts that were not heard of for long, and flapping that is over."""
    timing = book.configuration.timing
    found = work.lives(ALERTS.c.is_flapping)
    if timing.resolve_after is not None:
        is_old = ALERTS.c.heard_at <= work.now - timing.resolve_after
        found += work.lives(ALERTS.c.phase.in_(("open", "acknowledged")), is_old, limit=AT_ONCE)
    known = {life.alert_id: life for life in found}
    after = {name: passed(life, timing, work.now) for name, life in known.items()}
    changed = [life for name, life in after.items() if life is not known[name]]
    for life in changed:
        work.put_life(life)
        work.note(life, "passed", {"state": life.phase, "is_flapping": life.is_flapping})
    moved(work, book, changed, {})


def _look_at(work: Work, book: Book, text: str) -> None:
    """Tell what a group has that is new, and what is open for long."""
    key = group_of(text)
    route = book.routes.get(key.path)
    if route is None:
        work.drop_group(text)
        return
    is_old = MEMBERS.c.told_at <= work.now - route.repeat
    members = work.members(MEMBERS.c.group_key == text, or_(MEMBERS.c.is_pending, is_old))
    pairs = _pairs(work, [member for _, member in members])
    new = Telling("alerts", route, key, text)
    _tell(work, book, new, [pair for pair in pairs if is_pending(*pair)])
    again = Telling("repeat", route, key, text)
    _tell(work, book, again, [pair for pair in pairs if repeats(*pair, route, work.now)])
    work.put_group(text, next_look(route, work.now))


def _pairs(work: Work, members: Sequence[Member]) -> list[Pair]:
    lives = work.by_id({member.alert_id for member in members})
    return [(member, lives[member.alert_id]) for member in members if member.alert_id in lives]


def _tell(work: Work, book: Book, telling: Telling, pairs: Sequence[Pair]) -> None:
    free = sifted(work, book, telling, pairs)
    if free:
        tell(work, book, telling, free)


def _escalate(work: Work, book: Book) -> None:
    """Take the next step for what nobody has acknowledged, a group at a time."""
    due: dict[str, list[Member]] = {}
    for text, member in work.members(MEMBERS.c.escalate_at <= work.now):
        due.setdefault(text, []).append(member)
    for text, members in due.items():
        key = group_of(text)
        route = book.routes.get(key.path)
        steps = route.escalate if route else ()
        if route is None or not steps:
            continue
        telling = Telling("escalation", route, key, text)
        levels: dict[int, list[Life]] = {}
        for member, life in _still_open(work, telling, _pairs(work, members)):
            if member.level < len(steps):
                levels.setdefault(member.level, []).append(life)
        _take_steps(work, book, telling, levels, members)


def _still_open(work: Work, telling: Telling, pairs: Sequence[Pair]) -> list[Pair]:
    for member, life in pairs:
        if life.phase != "open":
            work.put_member(telling.group_text, replace(member, escalate_at=None))
    return [(member, life) for member, life in pairs if life.phase == "open"]


def _take_steps(
    work: Work,
    book: Book,
    telling: Telling,
    levels: dict[int, list[Life]],
    members: Sequence[Member],
) -> None:
    known, steps = {member.alert_id: member for member in members}, telling.route.escalate
    later = work.now + telling.route.group_interval
    for level, lives in levels.items():
        pairs = [(replace(known[life.alert_id], escalate_at=later), life) for life in lives]
        for member, _ in pairs:
            # What is held back notes by what, and is asked again later.
            work.put_member(telling.group_text, member)
        free = sifted(work, book, telling, pairs)
        escalate(work, book, telling, steps[level], [life for _, life in free])
        for member, _ in free:
            wait = steps[level + 1].after - steps[level].after if level + 1 < len(steps) else None
            following = None if wait is None else work.now + wait
            risen = replace(member, level=level + 1, escalate_at=following)
            work.put_member(telling.group_text, risen)


def _digest(work: Work, book: Book, person: Person) -> None:
    """Tell a person at once of all that was held back, a tenant at a time, once that may be."""
    if not person.receivers:
        return
    wait, first = book.configuration.timing.digest_wait, func.min(HELD.c.at)
    is_calm, is_old = func.max(HELD.c.at) <= work.now - wait, first <= work.now - LONGEST * wait
    query = (
        select(HELD.c.tenant)
        .where(HELD.c.person == person.name)
        .group_by(HELD.c.tenant)
        .having(or_(is_calm, is_old))
        .order_by(first)
    )
    for (tenant,) in work.connection.execute(query).all():
        sent = [*book.sent_to(person.name, work.now), *work.sent_to(person.name)]
        if not serves(person.tenants, tenant):
            _let_go(work, person, tenant)
            continue
        is_muted = muted_by(person.mute, book.configuration.mute_times, work.now)
        if is_muted or not budget.admits(sent, person.limit, "digest", work.now):
            return
        _send_digest(work, person, tenant)


def _let_go(work: Work, person: Person, tenant: str) -> None:
    """Forget what was held of a tenant that a person hears of no more."""
    for life in _taken(work, person, tenant):
        work.note(life, "foreign", {}, person.name)


def _taken(work: Work, person: Person, tenant: str) -> list[Life]:
    """Return what is held for a person, which it is no more."""
    mine = (HELD.c.person == person.name) & (HELD.c.tenant == tenant)
    held = work.connection.execute(select(HELD.c.alert_id).where(mine)).scalars().all()
    work.connection.execute(delete(HELD).where(mine))
    return list(work.by_id(held).values())


def _send_digest(work: Work, person: Person, tenant: str) -> None:
    lives = _taken(work, person, tenant)
    receiver = min(person.receivers, key=lambda name: SEVERITIES.index(person.receivers[name]))
    wanted = Wanted(
        kind="digest", tenant=tenant, receiver=receiver, person=person.name, lives=lives
    )
    key = work.queue(wanted)
    for life in lives:
        work.note(life, "digest", {"receiver": receiver, "message": key}, person.name)
