"""What the demo starts beside itself, and what it says where that ends."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli import cli
from infra.demo.beside import Beside, first_services, fleet_words
from infra.stack import Stack, write_stack
from simulator.simulate import simulate
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


def test_fleet_that_ends_tells_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stack(tmp_path, Stack("light", 18_000, ("streams",)))
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))
    beside = Beside(Settings(), tmp_path)
    beside.start_fleet(1, 10, tmp_path / "ledger.ndjson")

    try:
        with pytest.raises(HeadwaterError, match=r"needs at least 5 devices.*simulator\.log"):
            watch(beside)
    finally:
        beside.end()


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "kafka,streams"),
        ({"kafka": "broker:9092"}, "streams"),
        ({"streams": "scheduled"}, "kafka"),
        ({"kafka": "broker:9092", "streams": "scheduled"}, "registry"),
    ],
)
def test_a_demo_begins_with_what_its_stack_has(
    tmp_path: Path, changes: dict[str, object], first: str
) -> None:
    settings = Settings(home=tmp_path).model_copy(update=changes)

    assert first_services(settings) == first


def test_the_fleet_of_a_demo_goes_on_until_somebody_ends_it(tmp_path: Path) -> None:
    _, *words = fleet_words(200, 200, tmp_path / "ledger.ndjson")

    asked = simulate.make_context("simulate", words).params

    assert asked["seconds"] > 365 * 86_400


def watch(beside: Beside) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        beside.is_starting()
        time.sleep(0.1)


@pytest.mark.parametrize("wrong", ["--devices=0", "--rate=0", "--for=-1"])
def test_demo_of_nothing_is_wrong_use_before_anything_starts(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HEADWATER_HOME", str(home))

    assert CliRunner().invoke(cli, ["demo", wrong]).exit_code == 2
    assert not home.exists()
