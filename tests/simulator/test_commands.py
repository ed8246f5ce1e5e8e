"""The commands as they are typed, over a spool."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from simulator import __main__ as commands
from simulator.scenarios import load_scenario
from tests.simulator.lakes import prepared, write


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m simulator` on a home."""
    return subprocess.run(
        [sys.executable, "-m", "simulator", *arguments],
        env={**os.environ, "HEADWATER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def light(tmp_path: Path) -> Path:
    """A home in light mode."""
    (tmp_path / "stack.json").write_text('{"mode": "light", "port_base": 18000}')
    return tmp_path


def test_run_goes_into_the_spool_and_the_ledger(light: Path) -> None:
    ledger = light / "ledger.ndjson"
    done = run(
        light, "simulate", "mixed", "--devices", "20", "--rate", "200", "--for", "2s",
        "--ledger", str(ledger), "--quiet",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    segments = (light / "spool" / "segments").glob("*.parquet")
    assert sum(pq.read_metadata(path).num_rows for path in segments) == summary["records"]
    assert summary["sent"] == summary["acked"] == sum(summary["expected"].values()) >= 400
    assert len(ledger.read_bytes().splitlines()) == 2 * summary["sent"]
    assert (light / "registry" / "products" / "default" / "meter.json").is_file()


def test_weeks_are_told_in_seconds_with_their_truth(light: Path) -> None:
    ledger = light / "ledger.ndjson"
    done = run(
        light, "simulate", "theft", "--devices", "10", "--rate", "2000", "--for", "1s",
        "--over", "21d", "--ledger", str(ledger), "--quiet",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in ledger.read_bytes().splitlines()]
    times = [entry["event_time"] for entry in entries if entry["e"] == "sent"]
    assert max(times) - min(times) == pytest.approx(21 * 86_400e6, rel=0.01)
    labels = [entry for entry in entries if entry["e"] == "label"]
    assert len(labels) == json.loads(done.stdout)["labels"] > 0
    assert all(min(times) < label["from"] < label["to"] <= max(times) for label in labels)


def test_fleet_is_enrolled_without_a_word(light: Path) -> None:
    ledger = light / "ledger.ndjson"
    for more in ((), ("--over", "21d")):
        done = run(light, "simulate", "traffic", "--messages", "0", "--ledger", str(ledger), *more)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sent"] == 0
    assert ledger.read_bytes() == b""
    assert list((light / "spool").rglob("*.parquet")) == []
    assert (light / "registry" / "products" / "default" / "roadside.json").is_file()


def test_too_few_open_files_are_told_with_the_command_that_helps(light: Path) -> None:
    simulate = f"{sys.executable} -m simulator simulate mixed --devices 1000 --via mqtt"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 512; exec {simulate}"],
        env={**os.environ, "HEADWATER_HOME": str(light)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "1,000 connections need 1,256 open files" in done.stderr
    assert "ulimit -n 1256" in done.stderr


Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """Run a command in this process: return its exit code and what it said, out and to stderr."""
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))

    def ran(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["headwater", *arguments])
        with pytest.raises(SystemExit) as ended:
            sys.exit(commands.run())
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return ran


def test_scenarios_are_listed(typed: Typed) -> None:
    code, out, _ = typed("simulate", "list")

    assert code == 0
    assert {"mixed", "schema-change", "clock_1970"} <= {
        line.split()[0] for line in out.splitlines() if line
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["simulate", "apocalypse"], 1, "simulate list"),
        (["simulate", "clean", "--rate", "0"], 2, "neither a number above 0 nor max"),
        (["simulate", "clean", "--for", "unbounded"], 2, "a time with an end"),
        (["simulate", "clean"], 1, "headwater up"),
        (["verify", "none.ndjson", "--timeout", "0"], 1, "cannot be read"),
        (["verify", "none.ndjson", "--timeout", "600"], 1, "cannot be read"),
        (["verify", "none.ndjson", "--grace", "0s"], 1, "cannot be read"),
        (["verify", "none.ndjson", "--grace", "unbounded"], 2, "a time with an end"),
        (["verify"], 2, "LEDGERS"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    typed: Typed, arguments: list[str], code: int, said: str
) -> None:
    found, _, error = typed(*arguments)

    assert found == code
    assert said in error
    assert "Traceback" not in error


def test_setting_is_refused_in_the_words_of_every_command(tmp_path: Path) -> None:
    done = run(tmp_path / "a home", "simulate", "clean")

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: HEADWATER_HOME='{tmp_path}/a home': a path with ' '")


def test_verdict_is_given_with_its_exit_code(tmp_path: Path) -> None:
    _, rows, ledger = prepared(tmp_path, load_scenario("mixed"), total=300)
    write(rows, tmp_path / "lake")

    kept = run(tmp_path, "verify", str(ledger), "--timeout", "0", "--json")
    ledger.write_text(ledger.read_text().replace('"expect":"silver"', '"expect":"late"', 1))
    broken = run(tmp_path, "verify", str(ledger), "--timeout", "0")

    assert kept.returncode == 0, kept.stdout
    assert json.loads(kept.stdout)["ok"] is True
    assert broken.returncode == 1
    assert "misplaced              1  !" in broken.stdout
