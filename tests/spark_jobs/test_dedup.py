"""Duplicates and conflicts, against a dict that remembers everything."""

from collections.abc import Collection, Mapping
from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.dedup.decision import Candidates, Verdict, decide
from spark_jobs.dedup.index import LACKED, KeyIndex, PackedIndex
from spark_jobs.dedup.intervals import Intervals
from spark_jobs.dedup.names import Boot, BootNames, Key, boot_marks
from spark_jobs.dedup.recent import Copies, Copy, RecentCopies, marks_of

numbers = st.integers(min_value=0, max_value=40) | st.just(2**63 - 1)


@settings(deadline=None)
@given(st.lists(numbers))
def test_intervals_hold_what_a_set_holds(added: list[int]) -> None:
    intervals, model = Intervals(), set[int]()
    for number in added:
        assert intervals.add(number) == (number not in model)
        model.add(number)
    assert {number for number in [*range(42), 2**63 - 1] if number in intervals} == model
    assert Intervals(intervals.ranges()).ranges() == intervals.ranges()
    assert Intervals.from_bytes(intervals.to_bytes()).ranges() == intervals.ranges()
    merged = Intervals(intervals.ranges()[::2])
    merged.merge([*intervals.ranges()[1::2], *intervals.ranges()[:2]])
    assert merged.ranges() == intervals.ranges()
    assert sum(last - first + 1 for first, last in intervals.ranges()) == len(model)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5))))
def test_runs_are_added_whole_or_not_at_all(runs: list[tuple[int, int]]) -> None:
    intervals, model = Intervals(), set[int]()
    for first, more in runs:
        run = set(range(first, first + more + 1))
        assert intervals.add_run(first, first + more) == model.isdisjoint(run)
        model |= run if model.isdisjoint(run) else set()
        assert {number for number in range(50) if number in intervals} == model
        ranges = intervals.ranges()
        assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))


@settings(deadline=None)
@given(st.lists(numbers), st.integers(1, 4))
def test_closed_intervals_hold_all_that_is_low(added: list[int], kept: int) -> None:
    intervals = Intervals()
    for number in added:
        intervals.add(number)
    before = intervals.ranges()
    intervals.close(kept)
    assert intervals.ranges()[-kept:] == before[-kept:]
    assert len(intervals) == min(len(before), kept + 1)
    if len(before) > kept:
        assert list(intervals.lowest) == list(range(before[-kept - 1][1] + 1))


def test_counting_upwards_costs_one_interval() -> None:
    intervals = Intervals()
    for number in range(1000):
        intervals.add(number)
    assert intervals.ranges() == [(0, 999)]


def copies(*found: Copy) -> Copies:
    """Return copies by column."""
    topics, *numbers = zip(*found, strict=True)
    partition, offset, item, digest = (np.array(column, np.int64) for column in numbers)
    names = sorted(set(topics))
    codes = np.array([names.index(topic) for topic in topics])
    return Copies(names, codes, partition, offset, item, digest)


def names_of(boots: list[Boot]) -> BootNames:
    """Return boots by column."""
    return BootNames.of(
        *(pl.Series([boot[at] for boot in boots], dtype=pl.String) for at in range(3))
    )


def add_run(index: KeyIndex, boot: Boot, first: int, last: int) -> bool:
    """Take up one run."""
    return bool(index.add_runs(boot_marks([boot]), np.array([first]), np.array([last]))[0])


def held(index: KeyIndex, boots: list[Boot]) -> dict[str, int]:
    """Return how many intervals the index holds of each boot, by its last name."""
    packed = index.packed().boots
    single = np.frombuffer(packed.marks, np.uint64).tolist()
    counts = dict.fromkeys(single, 1) | {mark: len(each) // 16 for mark, each in packed.others}
    marks = boot_marks(boots).tolist()
    return {
        boot[2]: counts[mark] for boot, mark in zip(boots, marks, strict=True) if mark in counts
    }


def candidates(keys: list[Key], batch: list[Copy]) -> Candidates:
    """Return a batch by column; it came in this order."""
    boots = sorted({key[:3] for key in keys})
    return Candidates(
        rows=np.arange(len(keys)),
        boots=names_of(boots),
        boot=np.array([boots.index(key[:3]) for key in keys], np.int64),
        seq=np.array([key[3] for key in keys], np.int64),
        time=np.arange(len(keys)),
        event=np.arange(len(keys)),
        copies=copies(*batch),
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 30)), st.integers(1, 12), st.integers(1, 20))
def test_recent_copies_are_the_newest(offsets: list[int], capacity: int, at_once: int) -> None:
    recent = RecentCopies(capacity)
    keys = [("t", "d", "b", place) for place in range(len(offsets))]
    added = [Copy("telemetry", 0, offset, 0, -offset) for offset in offsets]
    for first in range(0, len(keys), at_once):
        some = slice(first, first + at_once)
        recent.add(marks_of(keys[some]), copies(*added[some]))
    newest = dict(zip(keys, added, strict=True))
    for key in keys[:-capacity]:
        del newest[key]
    assert recent.find(keys) == newest


def test_recent_copies_grow() -> None:
    recent = RecentCopies(1_000_000)
    keys = [("t", "d", "b", n) for n in range(100_000)]
    added = [Copy("spool", 0, n, 0, n) for n in range(100_000)]
    recent.add(marks_of(keys[:70_000]), copies(*added[:70_000]))
    recent.add(marks_of(keys[70_000:]), copies(*added[70_000:]))
    assert recent.find([keys[0], keys[-1]]) == {keys[0]: added[0], keys[-1]: added[-1]}


def test_hashed_keys_leave_by_number() -> None:
    index = KeyIndex(remembered=1, horizon_us=10)
    for number in range(300_001):
        assert index.add(("t", "d", f"h:{number}", 0))
    assert index.add(("t", "d", "h:0", 0))
    assert not index.add(("t", "d", "h:300000", 0))


def test_numbers_of_a_boot_that_is_called_like_a_hash_are_told_apart() -> None:
    index = KeyIndex(remembered=10, horizon_us=None)
    for number in range(3):
        assert index.add(("t", "d", "h:1", number))
    assert not any(index.add(("t", "d", "h:1", number)) for number in range(3))


def test_gaps_take_no_more_than_their_room() -> None:
    index = KeyIndex(remembered=10, horizon_us=None, room=100)
    for number in range(0, 2000, 2):
        assert index.add(("t", "d", "gaps", number))
    assert add_run(index, ("t", "d", "steady"), 0, 1999)
    index.keep_room(0)
    assert held(index, [("t", "d", "gaps"), ("t", "d", "steady")]) == {"gaps": 33, "steady": 1}
    assert index.add(("t", "d", "gaps", 2000))
    assert not index.add(("t", "d", "gaps", 1)), "it may be there: silver is asked"
    assert index.add(("t", "d", "gaps", 1997))


def test_numbers_at_random_are_hashed_in_the_end() -> None:
    index = KeyIndex(remembered=10_000_000, horizon_us=None, room=100)
    boot = ("t", "d", "b")
    for number in range(0, 2_000, 2):
        index.add((*boot, number))
    index.keep_room(0)
    in_vain = [(*boot, number) for number in range(1, 1_001, 2)]
    batch = candidates(in_vain, [Copy("telemetry", 0, key[3], 0, 1) for key in in_vain])
    for _ in range(0, LACKED, len(in_vain)):
        assert decide(batch, index, lambda _: {}) == {}
    assert index.add(in_vain[0]), "what was in a closed gap is forgotten"
    mark = int(boot_marks([boot])[0])
    assert index.packed().lacked == ((mark, LACKED),)
    again = KeyIndex(remembered=10_000_000, horizon_us=None, room=100)
    again.unpack(index.packed())
    again.merge(boot, [(5_000, 5_001)])
    for each in (index, again):
        assert not each.add((*boot, 1_998)), "its newest are remembered"
        assert not each.add(in_vain[0])
        assert not add_run(each, boot, 3_000, 3_001), "each is judged by itself"
        assert each.add((*boot, 3_000))
        assert not each.add((*boot, 3_000))
    assert not again.add((*boot, 5_001))
    assert not held(again, [boot])


def test_boots_leave_where_there_are_many_and_they_were_silent() -> None:
    index = KeyIndex(remembered=10, horizon_us=10, boots=3)
    for boot in "abcd":
        assert index.add(("t", "d", boot, 1))
    index.keep_room(5)
    index.keep_room(14)
    assert not index.add(("t", "d", "a", 1)), "none was silent for the horizon yet"
    assert add_run(index, ("t", "d", "b"), 2, 3)
    index.keep_room(15)
    assert held(index, [("t", "d", boot) for boot in "abcd"]) == {"a": 1, "b": 1}
    assert index.add(("t", "d", "c", 1))
    index.keep_room(1_000)
    assert not index.add(("t", "d", "a", 1)), "three are not too many"


def test_what_was_not_committed_is_not_taken_for_numbers_at_random() -> None:
    index = KeyIndex(remembered=10, horizon_us=None, room=10)
    keys = [("t", "d", "b", number) for number in range(0, 40_000, 2)]
    index.take_up(keys)
    index.keep_room(0)
    later = [("t", "d", "b", number) for number in range(50_000, 90_000, 2)]
    index.take_up(later)
    index.lack(later)
    assert index.packed().lacked == ((int(boot_marks([("t", "d", "b")])[0]), 0),)


class Silver:
    """Stands for the lake and for what a stream keeps in memory."""

    def __init__(self, capacity: int, room: int) -> None:
        self.capacity = capacity
        self.room = room
        self.copies: dict[Key, Copy] = {}
        self.saved, self.saved_keys = PackedIndex(), set[Key]()
        self.restart()

    def restart(self) -> None:
        """Build the memory anew from what was saved and what was committed since, no digests."""
        self.index = KeyIndex(remembered=1000, horizon_us=None, room=self.room)
        self.index.unpack(self.saved)
        self.recent = RecentCopies(self.capacity)
        for key, copy in self.copies.items():
            if key not in self.saved_keys:
                self.index.add(key)
            self.recent.add(marks_of([key]), copies(copy)._replace(digest=None))

    def save(self) -> None:
        self.saved, self.saved_keys = self.index.packed(), set(self.copies)

    def find(self, keys: Collection[Key]) -> Mapping[Key, Copy]:
        found = {key: copy for key, copy in self.recent.find(keys).items() if copy.digest}
        return {key: self.copies[key] for key in keys if key in self.copies} | found

    def decide(self, keys: list[Key], batch: list[Copy]) -> dict[int, Verdict]:
        if not keys:
            return {}
        return decide(candidates(keys, batch), self.index, self.find)

    def land(self, keys: list[Key], batch: list[Copy], fate: str) -> dict[int, Verdict]:
        self.index.keep_room(0)
        verdicts = self.decide(keys, batch)
        if fate == "fails":
            assert self.decide(keys, batch) == verdicts
        first = [place for place in range(len(keys)) if place not in verdicts]
        for place in first:
            self.copies.setdefault(keys[place], batch[place])
        if fate == "is killed":
            self.restart()
            assert self.decide(keys, batch) == verdicts
        elif first:
            self.recent.add(
                marks_of([keys[place] for place in first]),
                copies(*(batch[place] for place in first)),
            )
        if fate == "is saved":
            self.save()
        return verdicts


boots = st.sampled_from(["", "b1", "h:00", "h:01", "k:telemetry:0:0"])
messages = st.tuples(boots, st.integers(0, 12), st.integers(1, 2))
fates = st.sampled_from(["lands", "is saved", "fails", "is killed"])
batches = st.lists(st.tuples(st.lists(messages, max_size=12), fates), max_size=8)


@settings(max_examples=300, deadline=None)
@given(batches, st.integers(1, 5), st.sampled_from([2, 6, 1000]))
def test_each_key_has_one_first_over_batches_and_restarts(
    given_batches: list[tuple[list[tuple[str, int, int]], str]], capacity: int, room: int
) -> None:
    silver, model, offset = Silver(capacity, room), dict[Key, Copy](), 0
    for rows, fate in given_batches:
        keys, batch = list[Key](), list[Copy]()
        for boot, seq, content in rows:
            number = offset if boot.startswith("k:") else 0 if boot.startswith("h:") else seq
            keys.append(("t", "d", boot, number))
            batch.append(Copy("telemetry", 0, offset, 0, content))
            offset += 1
        expected = {}
        for place, (key, copy) in enumerate(zip(keys, batch, strict=True)):
            first = model.setdefault(key, copy)
            if first != copy:
                is_same = first.digest == copy.digest
                expected[place] = Verdict("duplicate" if is_same else "conflict", first)
        assert silver.land(keys, batch, fate) == expected
