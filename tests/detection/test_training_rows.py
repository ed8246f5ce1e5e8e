"""The rows that teach a rig: near what was said, as evenly as may be, the same bytes always."""

import numpy as np
import pytest

from detection.training_rows import TrainingRows, most_rows


def drawn(rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return rows of metrics of unlike sizes, one of which never changes."""
    found = np.random.default_rng(2).normal(size=(rows, 4)) * np.array([1e-9, 1.0, 50.0, 0.0])
    return np.asarray(found + np.array([0.0, 20.0, 101_325.0, 7.7]))


@pytest.mark.parametrize("wanted", [1, 50, most_rows(4)])
def test_rows_are_kept_to_a_255th_of_their_range(wanted: int) -> None:
    rows, kept = drawn(wanted), TrainingRows(wanted, 4)
    kept.add(rows)
    away = np.abs(rows - rows[0].astype(np.float32)).max(axis=0)
    assert (np.abs(kept.rows() - rows) <= away / 64 + 1e-12).all()
    assert kept.missing == 0


def test_more_rows_are_kept_evenly() -> None:
    most = most_rows(1)
    kept = TrainingRows(10 * most, 1)
    kept.add(np.arange(10 * most, dtype=np.float64)[:, None])
    assert len(kept.rows()) == most
    assert np.abs(np.diff(kept.rows()[:, 0]) - 10).max() <= 32
    assert kept.stride == 10.0


@pytest.mark.parametrize("cut", [0, 1, 77, 400])
def test_rows_that_were_saved_are_gone_on_from(cut: int) -> None:
    rows, whole, first, second = drawn(400), *(TrainingRows(400, 4) for _ in range(3))
    whole.add(rows)
    first.add(rows[:cut])
    saved = first.to_bytes()
    assert second.take_up(saved + b"more") == len(saved)
    second.add(rows[cut:])
    assert second.to_bytes() == whole.to_bytes()
    assert second.rows().tobytes() == whole.rows().tobytes()


def test_changes_say_what_is_new_since_they_were_told() -> None:
    rows, first, second = drawn(400), TrainingRows(400, 4), TrainingRows(400, 4)
    rows[300, 2] += 500.0
    sizes = []
    for start in range(0, 400, 10):
        told = first.seen
        first.add(rows[start : start + 10])
        sizes.append(len(first.to_bytes(told)))
        second.take_up(first.to_bytes(told))
    assert second.to_bytes() == first.to_bytes()
    assert sorted(sizes)[20] == 8 + 6 * 4 + 10 * 4


def test_one_absurd_number_leaves_the_others_their_spread() -> None:
    rows, kept = drawn(300), TrainingRows(300, 4)
    rows[150, 1] += 100.0
    kept.add(rows)
    assert kept.rows()[:, 1].std() == pytest.approx(rows[:, 1].std(), rel=0.01)
