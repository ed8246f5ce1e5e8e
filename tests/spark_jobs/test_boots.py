"""Numbers of many boots in columns, against a dict of sets."""

import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_jobs.dedup.boots import Boots
from spark_jobs.dedup.index import KeyIndex
from spark_jobs.dedup.names import BootNames, boot_marks

MARKS = (0, 1, 5, 2**63, 2**64 - 1)
HIGHEST = 2**63 - 1
runs = st.tuples(
    st.sampled_from(MARKS), st.integers(0, 12) | st.just(HIGHEST - 3), st.integers(0, 3)
)
between = st.sampled_from(["nothing", "fold", "saved", "silent"])
batches = st.lists(st.tuples(st.lists(runs, max_size=8), between), max_size=8)
Model = dict[int, set[int]]


def added(boots: Boots, batch: list[tuple[int, int, int]]) -> list[bool]:
    marks = np.array([mark for mark, _, _ in batch], dtype=np.uint64)
    first = np.array([first for _, first, _ in batch], dtype=np.int64)
    more = np.array([more for *_, more in batch], dtype=np.int64)
    found: list[bool] = boots.add_runs(marks, first, first + more).tolist()
    return found


def expected(model: Model, batch: list[tuple[int, int, int]]) -> list[bool]:
    found = []
    for mark, first, more in batch:
        run = set(range(first, first + more + 1))
        is_new = model.setdefault(mark, set()).isdisjoint(run)
        model[mark] |= run if is_new else set()
        found.append(is_new)
    return found


MOVED = [([(0, 0, 2)], "nothing"), ([(0, 9, 0)], "nothing"), ([(0, 3, 0)], "nothing")]


@settings(max_examples=300, deadline=None)
@example([*MOVED, ([(0, 3, 0)], "nothing")], 1)
@example([*MOVED[:2], ([(0, 3, 5)], "fold")], 1)
@given(batches, st.sampled_from([1, 3, 100]))
def test_boots_hold_what_sets_hold(
    given_batches: list[tuple[list[tuple[int, int, int]], str]], fewest: int
) -> None:
    boots, model, heard = Boots(fewest=fewest), Model(), set[int]()
    for batch, then in given_batches:
        assert added(boots, batch) == expected(model, batch)
        heard |= {mark for mark, *_ in batch}
        assert len(boots) == len(model)
        if then == "fold":
            boots.fold()
            marks = np.frombuffer(boots.packed().marks, dtype=np.uint64)
            assert (marks[1:] > marks[:-1]).all()
        elif then == "saved":
            packed = boots.packed()
            boots = Boots(fewest=fewest)
            boots.unpack(packed)
            heard = set(model)
        elif then == "silent":
            assert boots.forget_silent() == len(model.keys() - heard)
            model = {mark: numbers for mark, numbers in model.items() if mark in heard}
            heard = set()
    for mark in MARKS:
        assert list(boots.lowest(mark)) == _lowest(model.get(mark, set()))
        held = {n for first, last in boots.pop(mark) for n in range(first, last + 1)}
        assert held == model.get(mark, set())
    assert len(boots) == 0


def _lowest(numbers: set[int]) -> list[int]:
    run: list[int] = []
    for number in sorted(numbers):
        if run and number != run[-1] + 1:
            break
        run.append(number)
    return run


def test_many_that_count_upwards_stay_in_columns() -> None:
    boots = Boots()
    marks = np.arange(10_000, dtype=np.uint64) * 7
    for turn in range(3):
        numbers = np.full(10_000, turn)
        assert boots.add_runs(marks, numbers, numbers).all()
    packed = boots.packed()
    assert packed.others == ()
    assert sum(map(len, packed[:3])) == 24 * 10_000


def test_marks_tell_names_apart_and_are_the_same_each_time() -> None:
    boots = [("t", "d", "b"), ("t", "b", "d"), ("d", "t", "b"), ("t", "d", ""), ("td", "", "b")]
    marks = boot_marks(boots)
    assert len(set(marks.tolist())) == len(boots)
    for boot, mark in zip(boots, marks, strict=True):
        assert boot_marks([boot])[0] == mark


def test_names_say_which_keys_are_counted() -> None:
    columns = [pl.Series(["t"] * 3), pl.Series(["d"] * 3), pl.Series(["b", "h:1", "k:x"])]
    names = BootNames.of(*columns)
    assert names.is_counted.tolist() == [True, False, False]
    assert names.is_unique.tolist() == [False, False, True]
    assert names.at(1) == ("t", "d", "h:1")


def test_far_too_many_boots_are_not_kept_the_silent_and_the_shortest_go() -> None:
    boots = Boots(fewest=1)
    marks = np.arange(100, dtype=np.uint64)
    last = np.where(marks < 20, 50, 0).astype(np.int64)
    boots.add_runs(marks, np.zeros(100, dtype=np.int64), last)
    boots.forget_silent()
    heard = marks[90:]
    boots.add_runs(heard, np.full(10, 7), np.full(10, 7))
    boots.add_run(90, 9, 9)

    assert boots.forget_beyond(100) == 0
    assert boots.forget_beyond(25) == 75

    kept = [int(mark) for mark in marks if boots.lowest(int(mark))]
    assert len(kept) == 25
    assert {*range(90, 100)} <= {*kept} <= {*range(20), *range(90, 100)}


def test_device_that_names_a_boot_for_each_message_does_not_fill_the_memory() -> None:
    index = KeyIndex(remembered=10, horizon_us=None, boots=100)
    for number in range(1_000):
        index.add(("t", "d", f"b{number}", 1))
        index.keep_room(number)
    assert len(np.frombuffer(index.packed().boots.marks, np.uint64)) <= 200
