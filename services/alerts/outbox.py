"""The outbox's decisions: which message is next, what an answer means, how long to wait."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Outcome = Literal["delivered", "retry", "refused"]
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)
AGAIN = frozenset({408, 425, 429})
SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is not delivered yet. `lanes` None: it is in everybody's order."""

    number: int
    key: str
    is_urgent: bool
    lanes: frozenset[str] | None
    tries: int
    next_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sink said: an HTTP status where it has one, and when it wants to be asked again."""

    status: int | None
    reason: str = ""
    retry_after: timedelta | None = None
    is_done: bool | None = None
    """Of a sink without statuses: whether it took the message."""


def eligible(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Return the messages that may go now: none overtakes an earlier one about the same device."""
    free: list[Waiting] = []
    taken: set[str] = set()
    for message in sorted(waiting, key=lambda each: each.number):
        if message.lanes is None:
            # It waits for all before it, and all behind it wait for it.
            return free or [message]
        if not taken & message.lanes:
            free.append(message)
        taken |= message.lanes
    return free


def chosen(waiting: Iterable[Waiting], now: datetime) -> Waiting | None:
    """Return the message to send: of those that may go and are due, the most pressing."""
    known = list(waiting)
    due = [each for each in eligible(known) if each.next_at <= now]
    if not due:
        return None
    rank = pressing(known)
    return min(due, key=lambda each: (rank[each.number], each.number))


def pressing(waiting: Iterable[Waiting]) -> dict[int, float]:
    """Return of each message the first urgent one that it is or holds up; infinite for none."""
    ranks: dict[int, float] = {}
    of_lane: dict[str, float] = {}
    of_all = math.inf
    for message in sorted(waiting, key=lambda each: -each.number):
        own = message.number if message.is_urgent else math.inf
        lanes = of_lane if message.lanes is None else message.lanes
        rank = min((of_lane.get(lane, math.inf) for lane in lanes), default=math.inf)
        rank = ranks[message.number] = min(own, rank, of_all)
        if message.lanes is None:
            of_all = rank
        for lane in message.lanes or ():
            of_lane[lane] = rank
    return ranks


def outcome(answer: Answer) -> Outcome:
    """Return what an answer means: only a sink that understood may refuse for good."""
    if answer.status is None:
        return "delivered" if answer.is_done else "retry"
    if 200 <= answer.status < 300:
        return "delivered"
    is_away = answer.status >= 500 or answer.status in AGAIN
    return "retry" if is_away else "refused"


def wait_after(failures: int, key: str, asked: timedelta | None = None) -> timedelta:
    """Return how long to wait after so many failures; `key` spreads those that failed together."""
    doubled = FIRST_WAIT * (1 << min(max(failures, 1) - 1, 10))
    spread = 1 + SPREAD * (int(key[:4], 16) / 0xFFFF - 0.5)
    return max(min(doubled, LONGEST_WAIT) * spread, min(asked or timedelta(), timedelta(hours=1)))
