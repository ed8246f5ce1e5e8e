"""What rules remember of a series: how many bytes, and of an older format."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from detection.memory import Bytes
from detection.rules.batches import Arrays
from detection.rules.evaluator import Evaluator, Outcome
from detection.rules.hours import HOUR_BYTES, PARTS
from detection.rules.narrow import Halves
from detection.rules.packing import of_place, packed, unpacked
from detection.rules.readings import Readings
from detection.rules.series_watch import HEAD_BYTES
from detection.rules.spans import SPAN_BYTES, spans_of
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
    {"kind": "seasonal", "slots": 168},
    {"kind": "ratio"},
    {"kind": "ratio", "against": "season", "slots": 168},
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


@pytest.mark.parametrize("by", ["rig", "t2", "residual", "forest"])
@pytest.mark.parametrize("metrics", [2, 32])
@pytest.mark.parametrize(("asked", "said"), [(50, 49), (50, 52), (400, 399), (400, 401),
                                             (10_000, 9_999), (10_000, 10_001)])  # fmt: skip
def test_metrics_that_are_watched_together_take_as_little_always(
    by: str, metrics: int, asked: int, said: int
) -> None:
    names = [f"m{place}" for place in range(metrics)]
    drawn = np.random.default_rng(1).normal(size=(said, metrics))
    judging = evaluator(rule({"kind": "several", "by": by, "rows": asked}, metrics=names))
    rows: list[Row] = [
        ("d", name, MONDAY_US + at * MINUTE_US, float(drawn[at, place]))
        for at in range(len(drawn))
        for place, name in enumerate(names)
    ]
    judging.take(readings(rows), 0)
    arrays = unpacked(judging.save())[1]
    del arrays["0.rows"]  # the device's name
    assert sum(each.nbytes for each in arrays.values()) <= MOST_BYTES * metrics


def test_every_kind_over_one_metric_is_measured() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in KINDS} - {"several", "model"}
    assert {str(check["kind"]) for check in LARGEST} == kinds


def test_one_absurd_reading_does_not_spoil_its_slot_for_good() -> None:
    week = 7 * 24 * HOUR_US
    rows: list[Row] = [("d", "m", MONDAY_US + place * week, 1e90) for place in range(2)]
    rows += [("d", "m", MONDAY_US + place * week, 5.0) for place in range(2, 400)]
    judging = evaluator(rule({"kind": "seasonal", "slots": 7}))
    judging.take(readings(rows), 0)
    assert week_of(judging, 7)[0] == pytest.approx(5.0, rel=1e-4)


def week_of(judging: Evaluator, slots: int) -> NDArray[np.float64]:
    """Return the means of the first series of the only rule."""
    state = of_place(0, unpacked(judging.save())[1])["states"][:1, HEAD_BYTES + SPAN_BYTES + 8 :]
    means = Halves(state.astype(np.uint8), slots)
    return means[np.zeros(slots, np.intp), np.arange(slots)]


def test_constant_that_two_bytes_cannot_hold_is_no_alarm() -> None:
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


def thirteen(hours: Bytes) -> tuple[Bytes, NDArray[np.float64], NDArray[np.float64]]:
    """Return the five minutes of now as doubles; means and counts in a ring of thirteen."""
    current = spans_of(hours)
    means, counts = np.zeros((len(hours), 13)), np.zeros((len(hours), 13))
    kept = np.ascontiguousarray(hours[:, SPAN_BYTES : SPAN_BYTES + 4 * PARTS]).view(np.float32)
    for row, now in enumerate(current[:, 0].astype(int).tolist()):
        for span in range(now - PARTS, now):
            means[row, span % 13] = kept[row, span % PARTS]
            counts[row, span % 13] = hours[row, SPAN_BYTES + 4 * PARTS + span % PARTS]
    return current.view(np.uint8), means, counts


def hours_in(form: int, hours: Bytes) -> Bytes:
    """Return hours as a format had them."""
    now, means, counts = thirteen(hours)
    if form == 1:
        return np.hstack([now, (means * counts).view(np.uint8), counts.view(np.uint8)])
    narrow = means.astype(np.float32).view(np.uint8), counts.astype(np.uint16).view(np.uint8)
    return eights(np.hstack([now, *narrow]))


def own_in(form: int, new: Bytes) -> Bytes:
    """Return the spread as doubles, in format 1 with its two filters' own, each before its sum."""
    sums = np.ascontiguousarray(new).view(np.float32).astype(np.float64)
    if form == 2:
        return sums.view(np.uint8)
    return np.ascontiguousarray(np.repeat(sums, 2, axis=1) * [0.995, 1, 0.995, 1]).view(np.uint8)


def week_in(form: int, new: Bytes, slots: int) -> Bytes:
    """Return a week's means as singles, or as their first three bytes, and a bit a slot."""
    series, slot = np.indices((len(new), slots))
    numbers = Halves(new, slots)[series.ravel(), slot.ravel()].reshape(len(new), slots)
    bits = np.nan_to_num(numbers).astype(np.float32).view(np.uint32)
    seen = np.packbits(np.isfinite(numbers), axis=1, bitorder="little")
    if form == 1:
        return np.hstack([eights(bits.view(np.uint8)), eights(seen)])
    high = (bits >> 16).astype(np.uint16).view(np.uint8)
    return eights(np.hstack([high, (bits >> 8 & 0xFF).astype(np.uint8), seen]))


def states_in(form: int, kept: VersionedRule, new: Bytes) -> Bytes:
    """Return a rule's memory of series as a format had it."""
    head, rest = new[:, :HEAD_BYTES], np.ascontiguousarray(new[:, HEAD_BYTES:])
    slots = getattr(kept.rule.check, "slots", 0)
    if kept.rule.name == "hour":
        rest = np.hstack([hours_in(form, rest), own_in(form, rest[:, HOUR_BYTES:])])
    elif slots:
        now, own = spans_of(rest).view(np.uint8), own_in(form, rest[:, SPAN_BYTES : SPAN_BYTES + 8])
        rest = np.hstack([now, own, week_in(form, rest[:, SPAN_BYTES + 8 :], slots)])
    return np.hstack([head, rest])


def eights(part: Bytes) -> Bytes:
    """Return bytes with zeros behind them, up to a multiple of eight."""
    return np.pad(part, ((0, 0), (0, -part.shape[1] % 8)))


def in_format(form: int, saved: bytes) -> bytes:
    """Return what was saved, whole or changes, as a format has it."""
    said, arrays = unpacked(saved)
    said["format"] = form
    wide: Arrays = {name: _wide(form, array) for name, array in arrays.items()}
    wide["hours"] = hours_in(form, arrays["hours"].astype(np.uint8))
    for place, kept in enumerate(sorted(WEEKS, key=lambda one: one.rule.name)):
        states = arrays[f"{place}.states"].astype(np.uint8)
        wide[f"{place}.states"] = states_in(form, kept, states)
    return packed(said, wide)


def _wide(form: int, array: NDArray[np.generic]) -> NDArray[np.generic]:
    kinds = {np.dtype(np.int32): np.int64, np.dtype(np.uint16): np.int64 if form == 1 else np.int32}
    return array.astype(kinds.get(array.dtype, array.dtype))


class Weeks(NamedTuple):
    """What rules remember after 500 hours, what changes in 100 more, and what they say then."""

    whole: bytes
    changes: bytes
    rest: Readings
    wanted: list[Outcome]


@pytest.fixture(scope="module")
def weeks() -> Weeks:
    """Return what is asked of rules of any format, and answered by those that never stopped."""
    never_stopped, judging = evaluator(*WEEKS), evaluator(*WEEKS)
    never_stopped.take(readings(weeks_of(0, 600)), 0)
    judging.take(readings(weeks_of(0, 500)), 0)
    whole = judging.save()
    judging.take(readings(weeks_of(500, 600)), 0)
    changes = judging.changes()
    assert changes is not None
    rest = readings(weeks_of(600, 6 * 168))
    return Weeks(whole, changes, rest, never_stopped.take(rest, 0))


@pytest.mark.parametrize("form", [1, 2])
def test_what_an_older_format_remembers_is_gone_on_from_with_its_changes(
    form: int, weeks: Weeks
) -> None:
    older = Evaluator()
    older.load(in_format(form, weeks.whole))
    older.apply(in_format(form, weeks.changes))

    found, wanted = older.take(weeks.rest, 0), weeks.wanted
    assert [known(one) for one in found] == [known(one) for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.alert.baseline == pytest.approx(other.alert.baseline, rel=1e-2)
        assert one.alert.evidence == other.alert.evidence
    assert {one.alert.rule for one in found} == {kept.rule.name for kept in WEEKS}


def known(one: Outcome) -> tuple[object, ...]:
    """Return what of an alert does not depend on how its baseline was rounded."""
    return one.alert.id, one.alert.rule, one.alert.device, one.found.state, one.found.time


def test_state_of_a_format_to_come_is_refused() -> None:
    saved = in_format(4, evaluator(*WEEKS).save())
    with pytest.raises(HeadwaterError, match="format 4, not 3"):
        Evaluator().load(saved)
