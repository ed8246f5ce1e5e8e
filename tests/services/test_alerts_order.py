"""How many messages a person gets, what they count, and in what order a sink gets them."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts import budget
from services.alerts.configuration import Limit
from services.alerts.counting import MOST, counted
from services.alerts.life import (
    Life,
    moment,
)
from services.alerts.outbox import Answer, Waiting, chosen, eligible, outcome, wait_after
from tests.services.alert_parts import HOUR, MINUTE, NOON, SECOND, at, life
from tests.services.alert_strategies import some_lives

FEW = settings(max_examples=30, deadline=None)


@FEW
@given(
    asked=st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from(["digest", "critical", "other"])),
        max_size=60,
    ),
    messages=st.integers(budget.FEWEST, 8),
)
def test_a_person_never_gets_more_than_the_limit(
    asked: list[tuple[int, budget.Use]], messages: int
) -> None:
    limit, now, sent = Limit(messages, 10 * MINUTE), NOON, list[datetime]()
    for pause, use in asked:
        now += pause * SECOND
        is_free = budget.used(sent, limit, now) < messages
        if budget.admits(sent, limit, use, now):
            sent.append(now)
        else:
            assert use != "digest" or not is_free
        assert len([each for each in sent if each > now - limit.within]) <= messages


@pytest.mark.parametrize(("use", "most"), [("other", 2), ("critical", 3), ("digest", 5)])
def test_each_use_finds_its_own_places(use: budget.Use, most: int) -> None:
    sent = [NOON] * most

    assert budget.admits(sent[1:], Limit(), use, NOON)
    assert not budget.admits(sent, Limit(), use, NOON)
    assert not budget.admits(sent[1:], Limit(), use, NOON, 2)
    assert budget.admits(sent, Limit(), use, NOON + 10 * MINUTE)


@FEW
@given(st.lists(some_lives(), max_size=30), st.integers(0, 40))
def test_counts_add_up_however_they_are_split(told: list[Life], rules: int) -> None:
    told += [life(rule=f"r{number}", zone=f"z{number}") for number in range(rules)]

    counts = counted(told)

    assert counts.alerts == len(told)
    for split in (counts.by_word, counts.by_severity, counts.by_rule, counts.by_zone):
        assert sum(split.values()) == len(told)
        assert len(split) <= MOST + 1


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    lanes = st.none() | st.frozensets(st.sampled_from("abcd"), min_size=1, max_size=3)
    return [
        Waiting(
            number,
            f"{number:032x}",
            draw(st.booleans()),
            draw(lanes),
            draw(st.integers(0, 5)),
            at(draw(st.integers(0, 5))),
            NOON,
        )
        for number in range(draw(st.integers(0, 8)))
    ]


@FEW
@given(queue=queues(), failures=st.integers(0, 2**64 - 1))
def test_no_message_overtakes_another_of_the_same_device(
    queue: list[Waiting], failures: int
) -> None:
    waiting, sent, now = list(queue), list[Waiting](), NOON
    for turn in range(200):
        fails = turn < 64 and failures >> turn & 1
        message = chosen(waiting, now)
        if message is None:
            now += SECOND
            continue
        waiting.remove(message)
        if fails:
            waiting.append(replace(message, next_at=now + 2 * SECOND))
        else:
            sent.append(message)
    for later, message in enumerate(sent):
        for before in sent[later + 1 :]:
            is_barrier = message.lanes is None or before.lanes is None
            shares = is_barrier or bool((message.lanes or set()) & (before.lanes or set()))
            assert not (shares and before.number < message.number)
    assert not waiting
    assert {message.key for message in sent} == {message.key for message in queue}
    assert len(sent) == len(queue)


def test_a_message_waits_behind_one_of_its_device_that_is_to_be_tried_again() -> None:
    tried = Waiting(1, "00", False, frozenset("a"), 1, NOON + SECOND, NOON)
    behind = Waiting(2, "01", True, frozenset("ab"), 0, NOON, NOON)
    other = Waiting(3, "02", False, frozenset("c"), 0, NOON, NOON)

    assert chosen([tried, behind], NOON) is None
    assert chosen([tried, behind, other], NOON) == other
    assert chosen([tried, behind], NOON + SECOND) == tried


@FEW
@given(queues())
def test_something_may_always_go(queue: list[Waiting]) -> None:
    assert bool(eligible(queue)) == bool(queue)


def test_what_is_urgent_goes_first() -> None:
    calm = Waiting(1, "00", False, frozenset("a"), 0, NOON, NOON)
    urgent = Waiting(2, "01", True, frozenset("b"), 0, NOON, NOON)

    assert chosen([calm, urgent], NOON) == urgent


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(200), "delivered"),
        (Answer(204), "delivered"),
        (Answer(301), "refused"),
        (Answer(400), "refused"),
        (Answer(404), "refused"),
        (Answer(408), "retry"),
        (Answer(429), "retry"),
        (Answer(500), "retry"),
        (Answer(503), "retry"),
        (Answer(None, "ConnectError"), "retry"),
        (Answer(None, is_done=True), "delivered"),
        (Answer(None, is_done=False), "retry"),
    ],
)
def test_only_a_sink_that_understood_refuses_for_good(answer: Answer, meaning: str) -> None:
    assert outcome(answer) == meaning


@FEW
@given(st.integers(1, 60), st.integers(0, 2**128 - 1))
def test_waits_grow_to_half_a_minute_and_no_further(failures: int, number: int) -> None:
    waited = wait_after(failures, f"{number:032x}")

    assert waited <= 33 * SECOND
    assert waited >= min(0.9 * 2 ** (failures - 1), 27) * SECOND


def test_a_sink_may_ask_for_a_longer_wait() -> None:
    assert wait_after(1, "0" * 32, 2 * MINUTE) == 2 * MINUTE
    assert wait_after(1, "0" * 32, 9 * HOUR) == HOUR


def test_times_are_exact_to_the_microsecond() -> None:
    assert moment(1_700_000_000_123_457).microsecond == 123_457
