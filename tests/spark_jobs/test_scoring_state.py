"""What rules remember is the same however it was saved, folded and cut short on the way."""

import itertools
import lzma
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.rules.evaluator import Evaluator
from detection.rules.packing import of_place, unpacked
from detection.rules.readings import source_of
from spark_jobs.scoring_state import ScoringFiles, ScoringState
from telemetry.errors import HeadwaterError
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import MINUTE_US, MONDAY_US, Row, evaluator, readings, rule
from tests.spark_jobs import previous_rules

RULES = (
    rule({"kind": "zscore", "deviations": 2.0, "readings": 10}, rule="z"),
    rule({"kind": "seasonal", "deviations": 2.0, "slots": 168}, rule="week"),
    rule({"kind": "stuck", "lasts": "10 min"}, rule="stuck"),
    rule({"kind": "threshold", "bound": 3.0}, rule="hot", persistence={"k": 2, "n": 3}),
    rule({"kind": "no_data", "lasts": "30 min"}, rule="silent", metric=None),
    rule({"kind": "no_data", "lasts": "30 min"}, rule="without_m", connected_within="20 min"),
)
IDLE: list[Row] = [(f"idle{number}", "m", MONDAY_US, 1.0) for number in range(100)]
"""Devices that speak once: what the others change is little beside them."""
WAYS = ("saved", "saved", "killed before saving", "killed while saving", "killed while folding",
        "disk full")  # fmt: skip


class Restarting:
    """Rules whose process is killed again and again."""

    def __init__(self, folder: Path, *rules: VersionedRule) -> None:
        self.folder = folder
        self.judging, self.files = evaluator(*rules), ScoringFiles(folder)
        self.alerts: list[str] = []
        self.written: list[int] = []
        self.batch = -1
        self.save()

    def save(self) -> None:
        """Remember the newest batch durably."""
        self.written.append(self.files.save(ScoringState("s", self.batch), self.judging))

    def restart(self) -> None:
        """Go on from what is on the disk, as another process would."""
        self.files, self.judging = ScoringFiles(self.folder), Evaluator()
        kept = self.files.read()
        assert kept is not None
        assert kept.state == ScoringState("s", self.batch)
        self.judging.load(kept.whole)
        for changes in kept.changes:
            self.judging.apply(changes)

    def take(self, rows: list[Row], way: str) -> None:
        """Look at a batch; if it is cut short, again."""
        found = [each.alert.to_json() for each in self.judging.take(readings(rows), 5)]
        before = {path: path.read_bytes() for path in self.folder.iterdir()}
        if way in ("killed before saving", "disk full"):
            if way == "disk full":
                self._fail()
            self.restart()
            assert [each.alert.to_json() for each in self.judging.take(readings(rows), 5)] == found
        self.alerts += [each.decode() for each in found]
        self.batch += 1
        self.save()
        if way == "killed while saving":
            (self.folder / f".rules.state.{self.batch}.1").write_bytes(b"half")
            self.restart()
        if way == "killed while folding":
            for path, content in before.items():
                if not path.exists():
                    path.write_bytes(content)
            self.restart()

    def _fail(self) -> None:
        blocked = [self.folder / f"rules.state.{place}" for place in range(1, 99)]
        made = [path for path in blocked if not path.exists()]
        for path in made:
            path.mkdir()
        whole = self.folder / "rules.state"
        whole.rename(aside := self.folder / "aside")
        whole.mkdir()
        (whole / "full").touch()
        with pytest.raises(OSError, match=r"rules\.state"):
            self.files.save(ScoringState("s", self.batch + 1), self.judging)
        (whole / "full").unlink()
        for path in (*made, whole):
            path.rmdir()
        aside.rename(whole)


def remembered(judging: Evaluator) -> dict[object, object]:
    """Return all that is remembered by device and metric, in no order."""
    said, arrays = unpacked(judging.save())
    sources = [source_of(fields) for fields in said["sources"]]
    found: dict[object, object] = {
        source.series: (source, arrays["newest"][place], arrays["hours"][place].tobytes())
        for place, source in enumerate(sources)
    }
    devices = list(dict.fromkeys(source.series[:2] for source in sources))
    for place, declared in enumerate(said["rules"]):
        state = of_place(place, arrays)
        for row in range(len(state.get("owners", ()))):
            series = sources[int(state["owners"][row])].series
            found[declared["rule"], series] = [
                state[name][row].tobytes() for name in ("states", "asked", "taught")
            ]
        for row, device in enumerate(devices if "devices" in state else ()):
            *times, owner = state["devices"][row].tolist()
            found[declared["rule"], device] = times, sources[owner].series if owner >= 0 else owner
        if "rows" in state:
            found[declared["rule"], "rows"] = state["rows"].tobytes(), state["states"].tobytes()
    return found


steps = st.sampled_from([-5, 0, 1, 1, 3, 7, 20, 60, 24 * 60])
values = st.sampled_from([0.0, 1.0, 1.0, 2.0, 4.0, -3.0, 9.0, float("nan")])
spoken = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["m", "m", "x"]), values)


@st.composite
def rows_of_a_fleet(draw: st.DrawFn) -> list[Row]:
    """Draw what a few devices say, now and then what comes too late."""
    said = draw(st.lists(st.tuples(spoken, steps), min_size=1, max_size=60))
    times = MONDAY_US + np.cumsum([gap for _, gap in said]) * MINUTE_US
    return [(device, metric, int(time), value)
            for ((device, metric, value), _), time in zip(said, times, strict=True)]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(rows_of_a_fleet(),
       st.lists(st.tuples(st.integers(0, 60), st.sampled_from(WAYS)), max_size=12))  # fmt: skip
def test_any_batches_folds_and_crashes_give_the_state_of_one_batch(
    rows: list[Row], cuts: list[tuple[int, str]]
) -> None:
    rows = IDLE + rows
    whole = evaluator(*RULES)
    alerts = [each.alert.to_json().decode() for each in whole.take(readings(rows), 5)]

    with TemporaryDirectory() as name:
        parts = Restarting(Path(name), *RULES)
        edges = [(len(IDLE), "saved"), *sorted((len(IDLE) + cut, way) for cut, way in cuts)]
        for (start, _), (end, way) in itertools.pairwise([(0, ""), *edges, (len(rows), "saved")]):
            parts.take(rows[start:end], way)
        parts.restart()

    assert parts.alerts == alerts
    assert remembered(parts.judging) == remembered(whole)


def test_metrics_that_are_watched_together_are_remembered_by_changes(tmp_path: Path) -> None:
    check = {"kind": "several", "by": "t2", "rows": 50}
    several = rule(check, metrics=["a", "b"])
    drawn = np.random.default_rng(4).normal(size=(80, 2))
    drawn[70:] += 9.0
    rows: list[Row] = [
        (f"d{device}", metric, MONDAY_US + minute * MINUTE_US, float(value))
        for minute, both in enumerate(drawn)
        for device in range(3)
        for metric, value in zip("ab", both, strict=True)
    ]
    idle: list[Row] = [(f"idle{number}", "a", MONDAY_US, 1.0) for number in range(300)]
    whole = evaluator(several)
    alerts = [each.alert.to_json().decode() for each in whole.take(readings(idle + rows), 5)]

    parts = Restarting(tmp_path, several)
    parts.take(idle, "saved")
    for place, start in enumerate(range(0, len(rows), 30)):
        parts.take(rows[start : start + 30], WAYS[place % len(WAYS)])

    assert parts.alerts == alerts != []
    assert remembered(parts.judging) == remembered(whole)


def test_what_is_written_follows_the_devices_that_spoke(tmp_path: Path) -> None:
    fleet: list[Row] = [(f"d{number}", "m", MONDAY_US, 1.0) for number in range(2000)]
    parts = Restarting(tmp_path, *RULES)
    parts.take(fleet, "saved")
    whole = parts.written[-1]
    later = MONDAY_US + MINUTE_US
    for minute in range(40):
        parts.take([(row[0], "m", later + minute * MINUTE_US, 1.0) for row in fleet[:20]], "saved")

    assert np.median(parts.written[2:]) < whole / 25
    assert sum(parts.written[2:]) < whole * 3
    parts.restart()


class Sized:
    """A large memory of which little changes."""

    def save(self) -> bytes:
        """Return all of it."""
        return bytes(100_000)

    def changes(self) -> bytes:
        """Return what has changed."""
        return bytes(100)


def test_changes_are_folded_before_they_are_too_many(tmp_path: Path) -> None:
    files = ScoringFiles(tmp_path, most_changes=4)
    written = [files.save(ScoringState("s", batch), Sized()) for batch in range(13)]
    assert [batch for batch, size in enumerate(written) if size > 100_000] == [0, 5, 10]
    assert len(list(tmp_path.iterdir())) == 3
    again = ScoringFiles(tmp_path, most_changes=4)
    kept = again.read()
    assert kept is not None
    assert (kept.state.batch_id, len(kept.changes)) == (12, 2)
    more = [again.save(ScoringState("s", batch), Sized()) for batch in range(13, 16)]
    assert [size > 100_000 for size in more] == [False, False, True]


def test_changes_that_a_kill_left_behind_their_whole_are_passed_over(tmp_path: Path) -> None:
    files = ScoringFiles(tmp_path, most_changes=2)
    for batch in range(3):
        files.save(ScoringState("s", batch), Sized())
    left = {path: path.read_bytes() for path in tmp_path.glob("rules.state.*")}
    assert len(left) == 2
    files.save(ScoringState("s", 3), Sized())
    for path, content in left.items():
        path.write_bytes(content)
    again = ScoringFiles(tmp_path, most_changes=2)
    kept = again.read()
    assert kept is not None
    assert (kept.state.batch_id, len(kept.changes)) == (3, 0)
    again.save(ScoringState("s", 4), Sized())
    kept = ScoringFiles(tmp_path).read()
    assert kept is not None
    assert (kept.state.batch_id, len(kept.changes)) == (4, 1)


def test_changes_that_lack_those_before_them_are_damage(tmp_path: Path) -> None:
    parts = Restarting(tmp_path, *RULES)
    parts.take(IDLE, "saved")
    for minute in range(1, 4):
        parts.take([("idle0", "m", MONDAY_US + minute * MINUTE_US, 1.0)], "saved")
    changes = sorted(tmp_path.glob("rules.state.*"))
    assert len(changes) == 3
    content = changes[1].read_bytes()

    for damaged in (
        None,
        content[:-9] + b"\0" + content[-8:],
        content[:40],
        changes[0].read_bytes(),
    ):
        changes[1].unlink(missing_ok=True)
        if damaged is not None:
            changes[1].write_bytes(damaged)
        with pytest.raises(HeadwaterError, match=r"rules\.state"):
            ScoringFiles(tmp_path).read()
    changes[1].write_bytes(content)
    assert ScoringFiles(tmp_path).read() is not None


@pytest.mark.parametrize("stored", sorted(previous_rules.FIXTURES.glob("rules-*.state.xz")),
                         ids=lambda path: path.name)  # fmt: skip
def test_what_rules_of_a_release_remember_is_gone_on_from(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.state").write_bytes(lzma.decompress(stored.read_bytes()))
    rest = readings(previous_rules.rows(previous_rules.STORED_MINUTES, previous_rules.MINUTES))
    never_stopped = evaluator(*previous_rules.rules())
    first = readings(previous_rules.rows(0, previous_rules.STORED_MINUTES))
    never_stopped.take(first, 5)
    never_stopped.tick(MONDAY_US + previous_rules.STORED_MINUTES * MINUTE_US)

    files, judging = ScoringFiles(tmp_path), Evaluator()
    kept = files.read()
    assert kept is not None
    assert kept.state == previous_rules.STATE
    judging.load(kept.whole)
    found = judging.take(rest, 5)
    files.save(ScoringState("scoring/stored", 8), judging)

    # Of a rig older formats keep the rows that taught it, or numbers, to more digits.
    exact = [one.alert.to_json() for one in found if one.alert.rule != "both"]
    wanted = never_stopped.take(rest, 5)
    assert exact == [one.alert.to_json() for one in wanted if one.alert.rule != "both"]
    assert [one.alert.id for one in found] == [one.alert.id for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.alert.score == pytest.approx(other.alert.score, abs=0.01)
    assert {one.alert.rule for one in found} >= {"hot", "silent", "both", "z"}
    again = ScoringFiles(tmp_path).read()
    assert again is not None
    assert again.state.batch_id == 8
    # Of a whole that is smaller than what has changed, a new one is written.
    assert len(again.changes) <= 1


def test_what_rules_remember_is_stored() -> None:
    assert list(previous_rules.FIXTURES.glob("rules-*.state.xz"))
