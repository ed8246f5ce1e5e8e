"""A seed draws its kills again, and a run that was cut off goes on where it was."""

from collections import Counter
from pathlib import Path

from tests.end_to_end.stack import Stack
from tests.faults.full import NOT_ALL, together
from tests.faults.plan import IN_A_ROUND, Kill, Round, plan
from tests.faults.points import NAMES, RANDOM
from tests.faults.record import Record, summary
from tests.faults.siege import Siege


def test_every_point_has_its_kills() -> None:
    rounds = plan(7, each=10, at_random=25)

    kills = Counter(kill.point for one in rounds for kill in one.kills)
    assert kills == {**dict.fromkeys(NAMES, 10), RANDOM: 25}
    assert {len(one.kills) for one in rounds[:-1]} == {IN_A_ROUND}


def test_a_run_of_some_points_has_no_others() -> None:
    (one,) = plan(7, each=2, at_random=20, points=["job:compact", "offsets:gold"])

    assert sorted(one.points) == ["job:compact"] * 2 + ["offsets:gold"] * 2


def test_same_seed_draws_the_same() -> None:
    assert plan(7, each=2, at_random=20) == plan(7, each=2, at_random=20)
    assert plan(7, each=2, at_random=20) != plan(8, each=2, at_random=20)


def test_rounds_that_ended_well_are_not_held_again(tmp_path: Path) -> None:
    record = Record(tmp_path / "build" / "faults.ndjson", 7, "20+2")
    record.write("round", round=0, ok=True)
    record.write("round", round=1, ok=False)
    Record(record.path, 8, "20+2").write("round", round=2, ok=True)
    Record(record.path, 7, "200+10").write("round", round=3, ok=True)

    assert record.done() == {0}


def test_a_line_that_was_cut_off_with_its_run_is_passed_over(tmp_path: Path) -> None:
    record = Record(tmp_path / "faults.ndjson", 7, "20+2")
    record.write("round", round=0, ok=True)
    record.write("round", round=1, ok=True)
    record.path.write_bytes(record.path.read_bytes()[:-9])
    record.write("round", round=2, ok=True)

    assert record.done() == {0, 2}


def test_summary_counts_kills_and_what_was_broken(tmp_path: Path) -> None:
    record = Record(tmp_path / "faults.ndjson", 7, "20+2")
    record.write("kill", round=0, point="random", heal_s=20.0, cut=["bronze.messages"])
    record.write("kill", round=0, point="random", heal_s=30.0, cut=[])
    record.write("round", round=0, ok=False, sent=100, lost=2)
    record.write("round", round=0, ok=True, sent=100, lost=0, looks=9)

    found = summary(record.lines(), planned=3)

    assert found["rounds"] == {"planned": 3, "ended well": 1, "failed": 0}
    assert (found["kills"], found["between two tables"]) == (2, 1)
    assert (found["lost"], found["looks of the reader"]) == (2, 9)
    assert found["seconds to heal, longest"] == 30.0


def test_a_siege_in_a_hurry_waits_before_jobs_and_at_the_end(tmp_path: Path) -> None:
    names = ("random", "offsets:gold", "job:dedup", "commit:gold.sessions")
    one = Round(0, tuple(Kill(n, name, 1, 0.5) for n, name in enumerate(names)))
    stack = Stack(tmp_path, 1)

    assert Siege(stack, 200, 7, hurries=True).waits(one) == [False, True, False, True]
    assert Siege(stack, 200, 7).waits(one) == [True] * 4


def test_a_part_that_was_killed_does_not_pass() -> None:
    assert together([0, 0]) == 0
    assert together([0, -9]) == 1
    assert together([1, 0]) == 1
    assert together([0, NOT_ALL]) == together([NOT_ALL, NOT_ALL]) == NOT_ALL
    assert together([NOT_ALL, 1]) == 1
