"""The hot tier: whatever is held, merged, spilled and let go, an answer is that of one version."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from services.query.answering import Question, planned
from services.query.hot.runs import NO_RECORDS, RECORD, Spilled
from services.query.hot.tier import Bounds
from services.query.hot.view import Names, View
from services.query.pieces import Pieces
from services.query.reading import Lake
from telemetry.tables import LATE, READINGS
from tests.services.query_lake import Reading, TestLake, Value, put
from tests.services.query_parts import TestedQueries

START, END = 20_600 * 86_400_000_000, 20_603 * 86_400_000_000
MEGABYTE, FAN_IN = 1 << 20, 2
Points = list[tuple[int, Value]]
ROOMY = Bounds(64 * MEGABYTE, fan_in=FAN_IN)
SERIES = [(t, d, m) for t in ("default", "other") for d in ("meter.a", "meter.b") for m in "xy"]
KINDS: dict[str, Callable[[int], Value]] = {
    "x": lambda n: None if n % 7 == 0 else n / 8,
    "y": lambda n: None if n % 7 == 0 else f"word {n % 5}",
}


def reading(seq: int, at: int, series: Names, *, late: bool = False) -> Reading:
    tenant, device, metric = series
    value = KINDS[metric](seq)
    return Reading(
        START + at, value, seq, device=device, metric=metric, tenant=tenant, is_late=late
    )


def opened(root: Path, bounds: Bounds = ROOMY) -> Lake:
    return Lake(str(root), Pieces(MEGABYTE), bounds)


def filled(root: Path, bounds: Bounds = ROOMY) -> Lake:
    lake = opened(root, bounds)
    while lake.hot.step():
        pass
    return lake


def shown(lake: Lake, series: Names, start: int = START, end: int = END) -> list[tuple[int, Value]]:
    """Return a series as the service reads it for an answer, with what is no value."""
    rows = lake.read(planned(Question(*series, start, end, 10_000)), None, []).rows
    values = [None if value != value else value for value in rows.last.tolist()]
    return list(zip(rows.times.tolist(), values, strict=True))


def known(
    readings: list[Reading], series: Names, start: int = START, end: int = END
) -> list[tuple[int, Value]]:
    found = {
        (each.at_us, each.seq): each.value
        for each in readings
        if (each.tenant, each.device, each.metric) == series and start <= each.at_us < end
    }
    return [(at, value) for (at, _), value in sorted(found.items())]


def table(root: Path, name: str = READINGS.name) -> DeltaTable:
    return DeltaTable(str(root / Path(*name.split("."))))


ROWS = st.lists(
    st.tuples(st.integers(0, 3 * 86_400), st.sampled_from(SERIES), st.booleans()),
    min_size=1,
    max_size=12,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("land"), ROWS),
        st.tuples(st.just("again"), st.integers(0, 50)),
        st.tuples(st.just("follow"), st.none()),
        st.tuples(st.just("compact"), st.none()),
        st.tuples(st.just("erase"), st.sampled_from(["meter.a", "meter.b"])),
    ),
    min_size=3,
    max_size=14,
)
BOUNDS = ("roomy", "tight", "on disk", "of a moment")


class Story:
    """A lake that lives, a service that follows it, and what must be answered."""

    def __init__(self, root: Path, bounds: Bounds) -> None:
        self.made, self.alive, self.seq = TestLake(root), list[Reading](), 0
        self.lake = opened(root, bounds)
        self.made.land([reading(0, 0, SERIES[0]), reading(0, 0, SERIES[1], late=True)])
        self.alive += self.made.readings

    def land(self, rows: list[tuple[int, Names, bool]]) -> None:
        fresh = []
        for at, series, late in rows:
            self.seq += 1
            fresh.append(reading(self.seq, at * 1_000_000, series, late=late))
        self.made.land(fresh)
        self.alive += fresh

    def again(self, number: int) -> None:
        """Land a key once more, in the other table."""
        if self.alive:
            one = self.alive[number % len(self.alive)]
            put(self.made.root, READINGS if one.is_late else LATE, [one.row()])

    def follow(self, _: None) -> None:
        self.lake.hot.step()

    def compact(self, _: None) -> None:
        table(self.made.root).optimize.compact()

    def erase(self, device: str) -> None:
        for name in (READINGS.name, LATE.name):
            table(self.made.root, name).delete(f"device_full = '{device}'")
        self.alive = [each for each in self.alive if each.device != device]


def bounds_of(name: str, folder: Path) -> Bounds:
    return {
        "roomy": ROOMY,
        "tight": Bounds(16 * RECORD.itemsize),
        "on disk": Bounds(10_000, MEGABYTE, folder=folder, fan_in=FAN_IN),
        "of a moment": Bounds(MEGABYTE, minutes=0.0, fan_in=FAN_IN),
    }[name]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(steps=STEPS, bounds=st.sampled_from(BOUNDS), cut=st.integers(0, 3 * 86_400))
def test_whatever_happens_answers_are_those_of_the_newest_version(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, object]],
    bounds: str,
    cut: int,
) -> None:
    folder = tmp_path_factory.mktemp("story")
    story = Story(folder / "lake", bounds_of(bounds, folder))
    middle = START + cut * 1_000_000
    for name, what in steps:
        getattr(story, name)(what)
        for series in SERIES:
            for start, end in ((START, END), (START, middle), (middle, END)):
                if start < end:
                    assert shown(story.lake, series, start, end) == known(
                        story.alive, series, start, end
                    )


def landed(root: Path, files: int, rows: int = 20) -> TestLake:
    made = TestLake(root)
    for file in range(files):
        first = file * rows
        made.land([reading(first + n, (first + n) * 1000, SERIES[n % 2]) for n in range(rows)])
    return made


def test_each_file_is_read_once_however_many_series_are_asked_for(tmp_path: Path) -> None:
    made = landed(tmp_path, 3)
    lake = opened(tmp_path)
    for _ in range(2):
        for series in SERIES:
            assert shown(lake, series) == known(made.readings, series)
    assert lake.hot.reads == 3
    # A question waits for what came after the last one.
    made.land([reading(999, 5, SERIES[0])])
    assert shown(lake, SERIES[0]) == known(made.readings, SERIES[0])
    assert lake.hot.reads == 4


@pytest.mark.parametrize("is_on_disk", [False, True])
def test_runs_become_few_and_large_ones_lie_on_disk(tmp_path: Path, *, is_on_disk: bool) -> None:
    files = 16
    made = landed(tmp_path / "lake", files)
    # A home of the full stack has no such folder before.
    folder = tmp_path / "query" / "hot"
    on_disk = Bounds(16 * 1024, MEGABYTE, folder=folder, fan_in=FAN_IN)
    lake = filled(tmp_path / "lake", on_disk if is_on_disk else ROOMY)
    runs = lake.hot.held.runs
    assert lake.hot.reads == files
    assert len(runs) <= files // 4
    assert any(isinstance(run.records, Spilled) for run in runs) == is_on_disk
    # What is on disk has no name there.
    assert not is_on_disk or list(folder.iterdir()) == []
    for series in SERIES[:2]:
        assert shown(lake, series) == known(made.readings, series)
    assert lake.hot.reads == files


def test_no_more_memory_is_taken_than_allowed_and_the_newest_stays(tmp_path: Path) -> None:
    made = landed(tmp_path, 30)
    bounds = Bounds(16 * 1024)
    lake = filled(tmp_path, bounds)
    assert lake.hot.memory <= bounds.memory
    reads = lake.hot.reads
    assert 0 < reads < 30
    for series in SERIES[:2]:
        assert shown(lake, series) == known(made.readings, series)
    # What was let go is not read into it again.
    assert not lake.hot.step()
    assert lake.hot.reads == reads


def test_view_of_an_older_version_has_that_versions_rows(tmp_path: Path) -> None:
    made = landed(tmp_path, 2)
    then = {series: [at for at, _ in known(made.readings, series)] for series in SERIES[:2]}
    lake = filled(tmp_path)
    before = {name: files.listing() for name, files in lake.tables.items()}
    old = lake.hot.view(before, SERIES[0], START, END)
    table(tmp_path).delete("metric = 'x'")
    made.land([reading(999, 5, SERIES[1])])
    lake.hot.step()
    for view in (old, lake.hot.view(before, SERIES[0], START, END)):
        assert {series: rows_of(view, series) for series in SERIES[:2]} == then
    assert shown(lake, SERIES[0]) == []
    assert shown(lake, SERIES[1]) == known(made.readings, SERIES[1])


def rows_of(view: View, series: Names) -> list[int]:
    rows = view.rows(series, START, END)
    return sorted(at for each in rows for at in each.column("event_time_us").to_pylist())


@pytest.mark.parametrize("is_on_disk", [False, True])
def test_what_was_erased_is_held_no_more(tmp_path: Path, *, is_on_disk: bool) -> None:
    landed(tmp_path / "lake", 16)
    bounds = Bounds(16 * 1024, MEGABYTE, folder=tmp_path, fan_in=FAN_IN) if is_on_disk else ROOMY
    lake = filled(tmp_path / "lake", bounds)
    table(tmp_path / "lake").delete("metric = 'x'")
    lake.hot.step()
    held = [NO_RECORDS, *(run.records[:] for run in lake.hot.held.runs)]
    assert set(np.concatenate(held)["kind"].tolist()) <= {0, 2}
    assert shown(lake, SERIES[0]) == []


def test_cached_answer_stays_while_only_others_speak(tmp_path: Path) -> None:
    made = landed(tmp_path / "lake", 1)
    queries = TestedQueries(tmp_path)
    asked = {"device_id": "meter.a", "metric": "x", "start": START, "end": END}
    first = queries.json("/v1/query", **asked)
    answers = queries.service.answers
    # Statistics of this file do not rule the device out.
    made.land([reading(900, 1, ("default", name, "x")) for name in ("meter.0", "meter.b")])
    assert queries.json("/v1/query", **asked) == first
    assert answers.hits == 1
    made.land([reading(901, 2, ("default", "meter.a", "x"))])
    assert queries.json("/v1/query", **asked)["points_in"] == first["points_in"] + 1
    assert answers.hits == 1


def test_row_that_a_run_cannot_say_is_read_from_its_file(tmp_path: Path) -> None:
    two = reading(1, 5, SERIES[0]).row() | {"value_text": "as well"}
    put(tmp_path, READINGS, [two])
    lake = filled(tmp_path)
    assert lake.hot.held.runs == ()
    assert shown(lake, SERIES[0]) == [(START + 5, 1 / 8)]
    assert lake.hot.reads == 1
    assert not lake.hot.step()


def test_disk_without_room_costs_what_is_held_alone(tmp_path: Path) -> None:
    made = landed(tmp_path / "lake", 16)
    (tmp_path / "file").touch()
    nowhere = Bounds(16 * 1024, MEGABYTE, folder=tmp_path / "file" / "below", fan_in=FAN_IN)
    lake = filled(tmp_path / "lake", nowhere)
    for series in SERIES[:2]:
        assert shown(lake, series) == known(made.readings, series)


@pytest.mark.parametrize("bounds", [Bounds(0), ROOMY])
def test_same_key_in_two_places_counts_once(tmp_path: Path, bounds: Bounds) -> None:
    made = TestLake(tmp_path)
    one = Reading(START, 1.0, 1, device="meter.a", metric="x")
    made.land([one, replace(one, is_late=True)])
    made.land([replace(one, value=2.0, seq=2)])
    assert shown(opened(tmp_path, bounds), SERIES[0]) == [(START, 1.0), (START, 2.0)]
