"""Duplicates and conflicts, against a dict that remembers everything."""

from collections.abc import Collection, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.dedup.decision import Candidate, Verdict, decide, firsts_of
from spark_jobs.dedup.index import Key, KeyIndex
from spark_jobs.dedup.intervals import Intervals
from spark_jobs.dedup.recent import Copy, RecentCopies

numbers = st.integers(min_value=0, max_value=40) | st.just(2**63 - 1)


@given(st.lists(numbers))
def test_intervals_hold_what_a_set_holds(added: list[int]) -> None:
    intervals, model = Intervals(), set[int]()
    for number in added:
        assert intervals.add(number) == (number not in model)
        model.add(number)
    assert {number for number in [*range(42), 2**63 - 1] if number in intervals} == model
    assert Intervals(intervals.ranges()).ranges() == intervals.ranges()
    assert sum(last - first + 1 for first, last in intervals.ranges()) == len(model)


def test_counting_upwards_costs_one_interval() -> None:
    intervals = Intervals()
    for number in range(1000):
        intervals.add(number)
    assert intervals.ranges() == [(0, 999)]


@given(st.lists(st.integers(0, 30)), st.integers(1, 12))
def test_recent_copies_are_the_newest(offsets: list[int], capacity: int) -> None:
    recent = RecentCopies(capacity)
    keys = [("t", "d", "b", place) for place in range(len(offsets))]
    copies = [Copy("telemetry", 0, offset, 0, -offset) for offset in offsets]
    for key, copy in zip(keys, copies, strict=True):
        recent.add([(key, copy)])
    newest = dict(zip(keys, copies, strict=True))
    for key in keys[:-capacity]:
        del newest[key]
    assert recent.find(keys) == newest


def test_recent_copies_grow() -> None:
    recent = RecentCopies(1_000_000)
    rows = [(("t", "d", "b", n), Copy("spool", 0, n, 0, None)) for n in range(100_000)]
    recent.add(rows[:70_000])
    recent.add(rows[70_000:])
    assert recent.find([rows[0][0], rows[-1][0]]) == dict([rows[0], rows[-1]])


def test_hashed_keys_leave_by_horizon_and_number() -> None:
    index = KeyIndex(remembered=1, horizon_us=10)
    for number in range(300_001):
        index.add(("t", "d", f"h:{number}", 0), number)
    assert ("t", "d", "h:0", 0) not in index
    assert ("t", "d", "h:300000", 0) in index


class Silver:
    """Stands for the lake and for what a stream keeps in memory."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.copies: dict[Key, Copy] = {}
        self.verdicts: list[tuple[Candidate, Verdict]] = []
        self.restart()

    def restart(self) -> None:
        """Build the memory anew from what was committed; digests are not among it."""
        self.index = KeyIndex(remembered=1000, horizon_us=None)
        self.recent = RecentCopies(self.capacity)
        for key, copy in self.copies.items():
            self.index.add(key, 0)
            self.recent.add([(key, copy)])

    def find(self, keys: Collection[Key]) -> Mapping[Key, Copy]:
        recent = self.recent.find(keys)
        return {key: recent.get(key) or self.copies[key] for key in keys if key in self.copies}

    def land(self, batch: list[Candidate], *, crash: bool) -> None:
        verdicts = decide(batch, self.index, self.find)
        firsts = firsts_of(batch, verdicts)
        self.copies |= dict(firsts)
        if crash:
            self.restart()
            assert decide(batch, self.index, self.find) == verdicts
        else:
            for key, _ in firsts:
                self.index.add(key, 0)
            self.recent.add(firsts)
        self.verdicts += zip(batch, verdicts, strict=True)


boots = st.sampled_from(["", "b1", "h:00", "h:01", "k:telemetry:0:0"])
messages = st.tuples(boots, st.integers(0, 6), st.integers(0, 2))
batches = st.lists(st.tuples(st.lists(messages, max_size=12), st.booleans()), max_size=8)


@settings(max_examples=300)
@given(batches, st.integers(1, 5))
def test_each_key_has_one_first_over_batches_and_restarts(
    given_batches: list[tuple[list[tuple[str, int, int]], bool]], capacity: int
) -> None:
    silver, model, offset = Silver(capacity), dict[Key, Copy](), 0
    for rows, crash in given_batches:
        batch = []
        for boot, seq, content in rows:
            number = offset if boot.startswith("k:") else 0 if boot.startswith("h:") else seq
            batch.append(Candidate("t", "d", boot, number, "telemetry", 0, offset, 0, content))
            offset += 1
        silver.land(batch, crash=crash)
    for candidate, verdict in silver.verdicts:
        first = model.setdefault(candidate.key, candidate.copy)
        if first == candidate.copy:
            assert verdict == Verdict("first", None)
        else:
            is_same = first.digest == candidate.digest
            assert verdict == Verdict("duplicate" if is_same else "conflict", first)
