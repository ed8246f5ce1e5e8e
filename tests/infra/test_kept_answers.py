"""Answers that Superset gives again: while they hold, to whom was let through, and no other."""

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.superset.inside.kept_answers import KeptAnswers

START_S = 1_750_000_000.0


class Clock:
    """A clock that stands until it is put forward."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> KeptAnswers:
    return KeptAnswers(most_bytes=10, trusted_s=60.0, now=clock)


def query(key: str = "k", *, cached: bool = True, since_s: float = START_S) -> dict[str, Any]:
    """Return what Superset says of a query that its cache keeps for 20 s."""
    since = datetime.fromtimestamp(since_s, tz=UTC).replace(tzinfo=None).isoformat()
    return {
        "cache_key": key, "cached_dttm": since, "cache_timeout": 20, "is_cached": cached or None
    }  # fmt: skip


def test_an_answer_is_given_again_as_long_as_the_cache_has_it(
    kept: KeptAnswers, clock: Clock
) -> None:
    kept.keep("anna", b"q", b"one", [query()], kept.changes)
    clock.now_s += 19.9
    assert kept.find("anna", b"q") == b"one"
    clock.now_s += 0.1
    assert kept.find("anna", b"q") is None


def test_one_makes_an_answer_anew_and_others_are_shown_what_was(
    kept: KeptAnswers, clock: Clock
) -> None:
    for who in ("anna", "bert"):
        kept.keep(who, b"q", b"old", [query()], kept.changes)
    clock.now_s += 20
    assert kept.find("anna", b"q") is None
    assert kept.find("bert", b"q") == b"old"
    kept.keep("anna", b"q", b"new", [query(cached=False)], kept.changes)
    assert kept.find("anna", b"q") is None, "the cache has it now: the next who asks takes it over"
    assert kept.find("bert", b"q") == b"old"
    kept.keep("anna", b"q", b"new", [query(since_s=clock.now_s)], kept.changes)
    assert kept.find("bert", b"q") == b"new"


def test_another_tries_where_an_answer_is_not_renewed(kept: KeptAnswers, clock: Clock) -> None:
    kept.keep("anna", b"q", b"old", [query()], kept.changes)
    clock.now_s += 20
    found = []
    for _ in range(7):
        found.append(kept.find("anna", b"q"))
        clock.now_s += 5
    assert found == [None, b"old", b"old", None, b"old", b"old", None]
    assert kept.find("anna", b"q") is None, "half a minute late it is shown to nobody"


def test_who_was_not_let_through_is_given_nothing(kept: KeptAnswers) -> None:
    kept.keep("anna", b"q", b"one", [query()], kept.changes)
    assert kept.find("bert", b"q") is None
    assert kept.find("anna", b"r") is None


def test_who_was_let_through_is_given_what_another_has_asked_since(
    kept: KeptAnswers, clock: Clock
) -> None:
    kept.keep("anna", b"q", b"one", [query()], kept.changes)
    kept.keep("bert", b"q", b"one", [query()], kept.changes)
    clock.now_s += 21
    kept.keep("anna", b"q", b"two", [query(since_s=START_S + 21)], kept.changes)
    assert kept.find("bert", b"q") == b"two"


def test_who_sees_other_rows_is_given_other_answers(kept: KeptAnswers) -> None:
    kept.keep("anna", b"q", b"hers", [query("hers")], kept.changes)
    kept.keep("bert", b"q", b"his", [query("his")], kept.changes)
    assert kept.find("anna", b"q") == b"hers"
    assert kept.find("bert", b"q") == b"his"


def test_rights_are_looked_up_anew_after_a_while(kept: KeptAnswers, clock: Clock) -> None:
    kept.keep("anna", b"q", b"one", [query()], kept.changes)
    clock.now_s += 55
    kept.keep("bert", b"q", b"two", [query(since_s=clock.now_s)], kept.changes)
    assert kept.find("anna", b"q") == b"two"
    clock.now_s += 5
    assert kept.find("anna", b"q") is None


def test_a_change_ends_all_and_what_was_begun_before(kept: KeptAnswers) -> None:
    kept.keep("anna", b"q", b"one", [query()], kept.changes)
    begun = kept.changes
    kept.forget()
    assert kept.find("anna", b"q") is None
    kept.keep("anna", b"q", b"one", [query()], begun)
    assert kept.find("anna", b"q") is None


def test_an_answer_that_was_asked_anew_replaces_the_one_of_before(kept: KeptAnswers) -> None:
    kept.keep("anna", b"q", b"one", [query()], kept.changes)
    kept.keep("anna", b"q forced", b"new", [query(cached=False)], kept.changes)
    assert kept.find("anna", b"q") is None
    assert kept.find("anna", b"q forced") is None


def test_the_oldest_make_room(kept: KeptAnswers) -> None:
    for number in range(4):
        kept.keep("anna", b"q%d" % number, b"four", [query(str(number))], kept.changes)
    kept.keep("anna", b"long", b"too long by far", [query("long")], kept.changes)
    found = [kept.find("anna", b"q%d" % number) for number in range(4)]
    assert found == [None, None, b"four", b"four"]
    assert kept.find("anna", b"long") is None
