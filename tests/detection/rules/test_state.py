"""What rules remember of a series: how many bytes, and of an older format."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detection.memory import Bytes
from detection.rules.batches import Arrays
from detection.rules.evaluator import Evaluator
from detection.rules.hours import HOUR_BYTES
from detection.rules.narrow import ROUNDED_BY, Means
from detection.rules.packing import of_place, packed, unpacked
from detection.rules.series_watch import HEAD_BYTES
from telemetry.errors import HeadwaterError
from telemetry.rules.checks import KINDS
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import MINUTE_US, MONDAY_US, Row, evaluator, readings, rule

MOST_BYTES = 500
"""Of a device and metric, all that is saved but its name."""
LARGEST: tuple[dict[str, object], ...] = (
    {"kind": "threshold", "bound": 3.0},
    {"kind": "range", "low": -2.0, "high": 3.0},
    {"kind": "rate", "bound": 2.0},
    {"kind": "stuck", "lasts": "10 min"},
    {"kind": "no_data", "lasts": "30 min"},
    {"kind": "zscore"},
    {"kind": "mad", "readings": 40},
    {"kind": "ewma"},
    {"kind": "seasonal"},
    {"kind": "ratio"},
    {"kind": "ratio", "against": "season"},
    {"kind": "detector", "detector": "series"},
    {"kind": "detector", "detector": "stuck"},
)
HOUR_US = 60 * MINUTE_US
WEEKS = (
    rule({"kind": "seasonal", "deviations": 2.0}, rule="week"),
    rule({"kind": "seasonal", "deviations": 2.0, "slots": 7}, rule="days"),
    rule({"kind": "ratio", "against": "season", "slots": 168}, rule="share"),
    rule({"kind": "ratio", "spreads": 1.0}, rule="hour"),
    rule({"kind": "zscore", "deviations": 2.0}, rule="z"),
)


def arrays_of(check: dict[str, object], devices: int) -> int:
    """Return the bytes of the arrays in which so many devices are remembered."""
    judging = evaluator(rule(check))
    rows: list[Row] = [
        (f"d{device}", "m", MONDAY_US + hour * HOUR_US, 1.0)
        for hour in range(3)
        for device in range(devices)
    ]
    judging.take(readings(rows), 0)
    return sum(array.nbytes for array in unpacked(judging.save())[1].values())


@pytest.mark.parametrize("check", LARGEST, ids=lambda check: "-".join(map(str, check.values())))
def test_a_device_and_metric_is_remembered_in_500_bytes(check: dict[str, object]) -> None:
    each = (arrays_of(check, 300) - arrays_of(check, 100)) / 200
    assert HOUR_BYTES < each <= MOST_BYTES


@pytest.mark.parametrize("by", ["rig", "t2", "residual"])
@pytest.mark.parametrize("metrics", [2, 8, 32])
def test_metrics_that_are_watched_together_take_as_little_once_they_have_taught(
    by: str, metrics: int
) -> None:
    names = [f"m{place}" for place in range(metrics)]
    drawn = np.random.default_rng(1).normal(size=(51, metrics))
    judging = evaluator(rule({"kind": "several", "by": by, "rows": 50}, metrics=names))
    rows: list[Row] = [
        ("d", name, MONDAY_US + at * MINUTE_US, float(drawn[at, place]))
        for at in range(len(drawn))
        for place, name in enumerate(names)
    ]
    judging.take(readings(rows), 0)
    assert sum(each.nbytes for each in unpacked(judging.save())[1].values()) < MOST_BYTES * metrics


def test_every_kind_over_one_metric_is_measured() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in KINDS} - {"several", "model"}
    assert {str(check["kind"]) for check in LARGEST} == kinds


@pytest.mark.parametrize("value", [0.0, -1.5, 0.1, 101_325.25, -1e-30, 3e37, 1e100, -1e100, 1e-300])
def test_a_mean_is_kept_in_three_bytes(value: float) -> None:
    means = Means(np.zeros((2, 3 * 7), np.uint8), 7)
    place = np.array([1]), np.array([6])
    means[place] = np.array([value])
    (found,) = means[place]
    if 1e-37 < abs(value) < 1e38 or value == 0.0:
        assert abs(found - value) <= ROUNDED_BY * abs(value)
    assert np.isfinite(found)
    assert found == 0.0 or np.sign(found) == np.sign(value)
    assert means[np.array([1]), np.array([5])] == 0.0
    means[place] = means[place]
    assert means[place] == found


def test_one_absurd_reading_does_not_spoil_its_slot_for_good() -> None:
    week = 7 * 24 * HOUR_US
    rows: list[Row] = [("d", "m", MONDAY_US + place * week, 1e90) for place in range(2)]
    rows += [("d", "m", MONDAY_US + place * week, 5.0) for place in range(2, 400)]
    judging = evaluator(rule({"kind": "seasonal", "slots": 7}))
    judging.take(readings(rows), 0)
    state = of_place(0, unpacked(judging.save())[1])["states"][0, HEAD_BYTES:]
    mean = Means(state[None, 40:].astype(np.uint8), 7)[np.array([0]), np.array([0])]
    assert mean == pytest.approx(5.0, rel=1e-4)


def test_constant_that_three_bytes_cannot_hold_is_no_alarm() -> None:
    rows: list[Row] = [("d", "m", MONDAY_US + hour * HOUR_US, 1000.37) for hour in range(24 * 30)]
    judging = evaluator(rule({"kind": "seasonal", "deviations": 1.0}))
    assert judging.take(readings(rows), 0) == []


def weeks_of(first: int, last: int) -> list[Row]:
    """Return hours of two devices in whole numbers, which any format holds as they are."""
    drawn = np.random.default_rng(6).integers(4, 12, (6 * 168, 2, 4))
    drawn[5 * 168 :, 1] //= 4
    return [
        (f"d{device}", "m", MONDAY_US + hour * HOUR_US + part * 5 * MINUTE_US,
         float(drawn[hour, device, part]))
        for hour in range(first, last) for device in range(2) for part in range(4)
    ]  # fmt: skip


def hours_of_format_1(new: Bytes) -> Bytes:
    """Return hours as doubles: span, sum and count of the newest; thirteen totals and counts."""
    means, counts = (
        np.ascontiguousarray(new[:, start : start + size * 13]).view(kind).astype(np.float64)
        for start, size, kind in ((24, 4, np.float32), (76, 2, np.uint16))
    )
    return np.hstack([new[:, :24], (means * counts).view(np.uint8), counts.view(np.uint8)])


def own_of_format_1(new: Bytes) -> Bytes:
    """Return the spread with the numbers of its two filters, each before its sum."""
    sums = np.ascontiguousarray(new).view(np.float64)
    return np.ascontiguousarray(np.repeat(sums, 2, axis=1) * [0.995, 1, 0.995, 1]).view(np.uint8)


def states_of_format_1(kept: VersionedRule, new: Bytes) -> Bytes:
    """Return a rule's memory of series as format 1 had it."""
    head, rest = new[:, :HEAD_BYTES], np.ascontiguousarray(new[:, HEAD_BYTES:])
    slots = getattr(kept.rule.check, "slots", 0)
    if kept.rule.name == "hour":
        rest = np.hstack([hours_of_format_1(rest), own_of_format_1(rest[:, HOUR_BYTES:])])
    elif slots:
        series, slot = np.indices((len(rest), slots))
        means = Means(rest[:, 40:], slots)[series, slot].astype(np.float32).view(np.uint8)
        seen = rest[:, 40 + 3 * slots :][:, : -(-slots // 8)]
        parts = (means, seen)
        rest = np.hstack([rest[:, :24], own_of_format_1(rest[:, 24:40]), *map(eights, parts)])
    return np.hstack([head, rest])


def eights(part: Bytes) -> Bytes:
    """Return bytes with zeros behind them, up to a multiple of eight."""
    return np.pad(part, ((0, 0), (0, -part.shape[1] % 8)))


def in_format(form: int, saved: bytes) -> bytes:
    """Return what was saved, whole or changes, as a format has it."""
    said, arrays = unpacked(saved)
    said["format"] = form
    wide: Arrays = {name: _wide(array) for name, array in arrays.items()}
    wide["hours"] = hours_of_format_1(arrays["hours"])
    for place, kept in enumerate(sorted(WEEKS, key=lambda one: one.rule.name)):
        wide[f"{place}.states"] = states_of_format_1(kept, arrays[f"{place}.states"])
    return packed(said, wide)


def _wide(array: NDArray[np.generic]) -> NDArray[np.generic]:
    return array.astype(np.int64) if array.dtype == np.int32 else array


def test_what_format_1_remembers_is_gone_on_from_with_its_changes() -> None:
    never_stopped, judging = evaluator(*WEEKS), evaluator(*WEEKS)
    never_stopped.take(readings(weeks_of(0, 600)), 0)
    judging.take(readings(weeks_of(0, 500)), 0)
    whole = in_format(1, judging.save())
    judging.take(readings(weeks_of(500, 600)), 0)
    changes = judging.changes()
    assert changes is not None

    older = Evaluator()
    older.load(whole)
    older.apply(in_format(1, changes))

    assert older.save() == never_stopped.save()
    rest = readings(weeks_of(600, 6 * 168))
    found = older.take(rest, 0)
    assert [one.alert.to_json() for one in found] == [
        one.alert.to_json() for one in never_stopped.take(rest, 0)
    ]
    assert {one.alert.rule for one in found} == {kept.rule.name for kept in WEEKS}


def test_state_of_a_format_to_come_is_refused() -> None:
    saved = in_format(3, evaluator(*WEEKS).save())
    with pytest.raises(HeadwaterError, match="format 3, not 2"):
        Evaluator().load(saved)
