"""`headwater drill`: its list, what it refuses, and how an outcome is judged."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli import cli
from infra.drills.course import ground_of, hold, refuse_unwell
from infra.drills.drill import outcome
from infra.drills.drills import ALL, DRILLS
from infra.drills.ground import Fleet, Ground, Verdict
from infra.health import Health, ServiceHealth, State
from infra.stack import Stack
from infra.streams import Stream
from simulator.scenarios import scenario_names
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
WELL: Verdict = {"ok": True, "acked": 9, "lost": 0, "late": 3}


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(Settings(home=tmp_path), "full", tmp_path / "drills" / "one", lambda _: None)


def test_every_drill_is_listed_with_a_line() -> None:
    done = CliRunner().invoke(cli, ["drill"])

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(DRILLS)
    assert len(json.loads(CliRunner().invoke(cli, ["drill", "--json"]).stdout)) == len(ALL)


def test_unknown_drill_is_wrong_use() -> None:
    done = CliRunner().invoke(cli, ["drill", "meteor"])

    assert done.exit_code == 2
    assert "broker-crash" in done.stderr


def test_drill_is_refused_where_no_stack_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))

    done = CliRunner().invoke(cli, ["drill", "poison"])

    assert done.exit_code == 1
    assert "headwater up" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("names", "states", "said"),
    [
        (("kafka", "streams"), ("stopped", "stopped"), "none is up"),
        (("kafka",), ("running",), "needs streams"),
        (("kafka", "streams"), ("degraded", "running"), "kafka is degraded: "),
        (("kafka", "streams"), ("running", "starting"), "streams is starting, the stream gold is"),
    ],
)
def test_drill_says_what_of_the_stack_is_not_well(
    names: tuple[str, ...], states: tuple[State, ...], said: str
) -> None:
    pids = [None if state == "stopped" else 7 for state in states]
    services = [
        ServiceHealth(name, state, None, pid, None, 512)
        for name, state, pid in zip(names, states, pids, strict=True)
    ]
    streams = [Stream("gold", states[-1], 0.0, 0, 0.0, None)]
    now = Health(tuple(services), tuple(streams), names)

    with pytest.raises(HeadwaterError, match=said):
        refuse_unwell(Path("home"), Stack("full", 18000, names), now)


def test_rate_is_that_of_every_fleet_of_the_drill(tmp_path: Path) -> None:
    settings, drill = Settings(home=tmp_path), DRILLS["disk-full"]

    assert ground_of(settings, drill, lambda _: None, rate=7).fleet_sizes(drill.fleet) == [
        *("--devices", "40"),
        *("--rate", "7"),
    ]
    assert CliRunner().invoke(cli, ["drill", "poison", "--rate", "0"]).exit_code == 2


@pytest.mark.parametrize("name", DRILLS)
def test_drill_has_its_page_and_its_fleet(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text("utf-8")

    assert f"headwater drill {name}" in page
    assert f"({name}.md)" in (RUNBOOKS / "index.md").read_text("utf-8")
    assert DRILLS[name].fleet.scenario in scenario_names()


def test_drill_is_passed_when_it_healed_and_all_was_kept(ground: Ground) -> None:
    drill = DRILLS["late-flood"]

    found = outcome(drill, heal_s=3.0, complaints=[], verdict=WELL, ground=ground)

    assert (found.passed, found.complaints) == (True, [])


@pytest.mark.parametrize(
    ("heal_s", "complaints", "changed"),
    [
        (None, [], {}),
        (3.0, ["job compact: lost"], {}),
        (3.0, [], {"ok": False, "lost": 1}),
        (3.0, [], {"late": 0}),
        (3.0, [], {"acked": 0}),
        (3.0, [], {"ok": False, "said": "not idle after 300 s"}),
    ],
    ids=["not healed", "complaint", "lost", "no flood", "nothing sent", "not compared"],
)
def test_drill_is_not_passed(
    ground: Ground, heal_s: float | None, complaints: list[str], changed: dict[str, object]
) -> None:
    verdict = {**WELL, **changed}

    found = outcome(
        DRILLS["late-flood"], heal_s=heal_s, complaints=complaints, verdict=verdict, ground=ground
    )

    assert not found.passed
    assert len(found.complaints) == 1


class Busy(Ground):
    """A stack on which others send, and where the drill's own fleet ends at once."""

    __slots__ = ()

    def start_fleet(self, fleet: Fleet) -> subprocess.Popen[bytes]:
        self.fleets.append(subprocess.Popen([sys.executable, "-c", ""]))
        self.fleets[-1].wait()
        return self.fleets[-1]

    def wait_for_traffic(self) -> None:
        """Others' messages land."""

    def healed_after(self, since: float, within_s: float) -> float | None:
        return 1.0

    def verdict(self) -> Verdict:
        return WELL


def test_drill_is_not_passed_by_what_others_send(tmp_path: Path) -> None:
    busy = Busy(Settings(home=tmp_path), "full", tmp_path, lambda _: None)

    found = hold(replace(DRILLS["late-flood"], strike=lambda _: []), busy)

    assert not found.passed
    assert "ended by itself" in found.complaints[0]
