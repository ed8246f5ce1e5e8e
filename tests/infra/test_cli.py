"""The command's frame: help, errors as one line, exit codes."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

import infra.commands.device
import infra.commands.product
from infra.cli import COMMANDS, HIDDEN, main
from infra.stack import Stack, write_stack


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("HEADWATER_HOME", f"{tmp_path}/home")
    monkeypatch.delenv("HEADWATER_DEBUG", raising=False)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS if name not in HIDDEN)


def test_help_imports_no_command_and_status_no_tokens() -> None:
    program = "import sys; from infra.cli import main\ntry: main(['--help'])\nfinally: "
    program += "print([name for name in sys.modules if name.startswith('infra.commands')]); "
    program += "import infra.commands.status; print('jwt' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.endswith("[]\nFalse\n")


def named(name: str) -> list[list[str]]:
    """Return a command, and the commands below it, as words."""
    found = getattr(import_module(f"infra.commands.{name}"), name)
    below = found.list_commands(click.Context(found)) if isinstance(found, click.Group) else []
    return [[name], *([name, one] for one in below)]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"simulate", "verify"}])
def test_every_command_has_help_with_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in named(name):
        assert run(*words, "--help") == 0
        shown = capsys.readouterr().out.partition("\n")[2]
        assert f"headwater {' '.join(words)}" in shown, words


@pytest.mark.parametrize("group", [infra.commands.device.device, infra.commands.product.product])
def test_every_command_of_the_registry_has_help_with_examples(
    group: click.Group, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in group.commands:
        assert run(str(group.name), name, "--help") == 0
        assert f"  headwater {group.name} {name} " in capsys.readouterr().out


def test_unknown_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("upp") == 2
    assert "upp" in capsys.readouterr().err


def test_wrong_flag_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("up", "--lihgt") == 2
    assert "--lihgt" in capsys.readouterr().err


def test_error_is_one_line_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("up", "--only", "kafak") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: --only kafak: no service kafak")
    assert said.count("\n") == 1


def test_debug_may_stand_anywhere_and_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWATER_DEBUG", "false")
    with pytest.raises(Exception, match="no service kafak"):
        main(["up", "--only", "kafak", "--debug"])


def test_file_that_cannot_be_written_is_named_and_called_no_defect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("value\n1\n")
    assert run("detect", str(tmp_path / "a.csv"), "--out", "/proc/scores.csv") == 1
    assert "error: /proc/scores.csv.part: No such file or directory\n" in capsys.readouterr().err


def test_terminal_of_another_encoding_has_help() -> None:
    command = [sys.executable, "-m", "infra.cli", "publish", "--help"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1:strict"}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"FILE\\u2026" in done.stdout


def test_user_without_a_home_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADWATER_CACHE", "~nobody-of-this-name/cache")
    assert run("status") == 1
    said = capsys.readouterr().err
    assert "HEADWATER_CACHE" in said
    assert "set HOME, or a whole path" in said


def test_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADWATER_PORT_BASE", "high")
    assert run("status") == 1
    assert capsys.readouterr().err.startswith("error: HEADWATER_PORT_BASE='high': ")


def test_status_of_nothing_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 1
    assert "headwater up" in capsys.readouterr().err


def urls_of(home: Path, **settings: str) -> list[str]:
    """Return where `status` looks for the services of a home."""
    own = {name: text for name, text in os.environ.items() if name != "HEADWATER_PORT_BASE"}
    command = [sys.executable, "-m", "infra.cli", "status", "--json"]
    environment = {**own, "HEADWATER_HOME": str(home), **settings}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 1, done.stderr
    return [each["url"] for each in json.loads(done.stdout)["services"] if each["url"]]


def test_commands_go_by_the_ports_that_the_homes_stack_was_started_with(tmp_path: Path) -> None:
    write_stack(tmp_path, Stack("light", 21_700, ("gateway", "query")))

    assert "http://127.0.0.1:21709" in urls_of(tmp_path)
    assert "http://127.0.0.1:21809" in urls_of(tmp_path, HEADWATER_PORT_BASE="21800")
    assert "http://127.0.0.1:18009" in urls_of(tmp_path / "none")


def test_sql_without_a_stack_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sql", "select 1") == 1
    assert "headwater up" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["select 1", "-f", __file__], ["  ;"]])
def test_sql_wants_one_query(arguments: list[str]) -> None:
    assert run("sql", *arguments) == 2


def test_unknown_log_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("logs", "kafak") == 2
    assert "kafka, " in capsys.readouterr().err


def test_log_of_what_never_ran_is_an_error() -> None:
    assert run("logs", "kafka") == 1


def test_unknown_job_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("job", "dedupe") == 2
    assert "dedup, " in capsys.readouterr().err


def test_help_of_job_lists_jobs_with_their_duties(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("job", "--help") == 0
    shown = capsys.readouterr().out
    assert "  vacuum " in shown
    assert "Delete files that no version within the safe span needs" in shown
    assert "headwater job replay --from" in shown


def test_down_of_nothing_does_nothing() -> None:
    assert run("down") == 0
