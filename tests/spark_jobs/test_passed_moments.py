"""Up to when all is taken, of a log to which more is written at each look."""

from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.jobs.passed_moments import MOST, PassedMoments


def test_a_reader_that_is_never_done_has_passed_what_there_was_before() -> None:
    moments = PassedMoments[int]()
    found = []
    for second in range(1, 6):
        moments.look(second, {0: 100 * second, 1: 7 * second})
        found.append(moments.passed({0: 100 * (second - 1), 1: 7 * (second - 1)}))

    assert found == [None, 1, 2, 3, 4]


def test_one_partition_that_lags_holds_all_of_them_back() -> None:
    moments = PassedMoments[int]()
    for second in range(1, 4):
        moments.look(second, {0: second, 1: second})

    assert moments.passed({0: 3, 1: 0}) is None
    assert moments.passed({0: 3, 1: 2}) == 2


def test_a_clock_that_is_set_back_counts_as_it_is() -> None:
    moments = PassedMoments[int]()
    moments.look(7200, {0: 1})
    assert moments.passed({0: 1}) == 7200
    moments.look(3600, {0: 2})

    assert moments.passed({0: 1}) == 7200
    assert moments.passed({0: 2}) == 3600


def test_a_log_that_was_made_anew_is_passed_by_its_own_ends() -> None:
    moments = PassedMoments[int]()
    moments.look(1, {0: 5000})
    moments.look(2, {0: 3})

    assert moments.passed({0: 3}) == 2


def test_looks_that_wait_for_long_are_thinned_and_the_first_ones_kept() -> None:
    moments = PassedMoments[int]()
    for second in range(10 * MOST):
        moments.look(second, {0: second})

    assert moments.passed({0: 0}) == 0
    found = moments.passed({0: 5 * MOST})
    assert found is not None
    assert 4 * MOST < found <= 5 * MOST


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60))
def test_nothing_that_had_come_by_then_is_left(steps: list[tuple[int, int]]) -> None:
    moments = PassedMoments[int]()
    written = taken = 0
    ends = []
    for second, (more, read) in enumerate(steps):
        written += more
        ends.append(written)
        moments.look(second, {0: written})
        taken = min(written, taken + read)

        found = moments.passed({0: taken})

        known = [moment for moment, end in enumerate(ends) if end <= taken]
        assert found == (max(known) if known else None)
