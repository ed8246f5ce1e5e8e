"""`headwater alerts`: what it says of a service that runs, and what then holds."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from click.testing import CliRunner, Result

from infra.alerts_service import alerts_service
from infra.cli import cli
from infra.stack import Mode, Stack, write_stack
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base
from tests.services.alert_parts import alert, at
from tests.services.alerts_http import Tested


@dataclass(slots=True)
class Running:
    """A service in a thread, and commands of its home."""

    settings: Settings
    tested: Tested

    def run(self, *arguments: str, code: int = 0) -> Result:
        """Run a command in this process."""
        environment = {
            "HEADWATER_HOME": str(self.settings.home),
            "HEADWATER_PORT_BASE": str(self.settings.port_base),
            "HEADWATER_DEBUG": "false",
            "COLUMNS": "200",
        }
        result = CliRunner().invoke(cli, ["alerts", *arguments], env=environment)
        assert result.exit_code == code, result.output
        return result


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    settings = Settings(home=tmp_path, port_base=free_port_base())
    tested = Tested(tmp_path)
    settings.registry_dir.mkdir()
    settings.registry_admin_key_file.write_text(tested.admin)
    port = settings.port("alerts")
    server = uvicorn.Server(uvicorn.Config(tested.app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    complaint, give_up = alerts_service(settings).complaint, time.monotonic() + 30
    while complaint():
        assert time.monotonic() < give_up
        time.sleep(0.05)
    yield Running(settings, tested)
    server.should_exit = True
    thread.join()


def test_alerts_are_listed_taken_on_and_explained(running: Running) -> None:
    running.tested.desk.take(alert("pump.p1", severity="critical"), alert("pump.p2"))
    running.tested.desk.deliver()
    rows = json.loads(running.run("list", "--severity", "critical", "--json").stdout)
    (alert_id,) = [row["alert_id"] for row in rows]

    assert "pump.p2" in running.run("list").stdout
    assert "acknowledged" in running.run("ack", alert_id).stdout
    assert "pump.p1" not in running.run("list", "--state", "open").stdout
    why = running.run("why", alert_id).stdout
    for word in ("received", "routed", "told", "delivery", "acknowledged", "key:"):
        assert word in why
    of_ann = running.run("why", "--person", "ann").stdout
    assert "told" in of_ann
    assert alert_id in of_ann
    for command in ("why", "ack", "resolve"):
        assert "there is no alert 'pump'" in running.run(command, "pump", code=1).output
    assert "resolved" in running.run("resolve", alert_id).stdout


def test_a_long_trail_is_shown_a_page_at_a_time(running: Running) -> None:
    running.tested.desk.take(alert("pump.p1", severity="critical"))
    alert_id = running.tested.desk.lives()[0].alert_id

    newest = running.run("why", alert_id, "--limit", "1")
    assert "received" not in newest.stdout
    before = newest.stderr.strip().rpartition(" ")[2]
    older = running.run("why", alert_id, "--before", before)

    assert "received" in older.stdout
    assert older.stderr == ""
    assert json.loads(running.run("why", alert_id, "--json").stdout)["truncated"] is False


def test_a_silence_is_made_listed_and_ended(running: Running) -> None:
    made = running.run("silence", "device=pump.*", "--for", "2h", "--comment", "bearing").stdout
    silence_id = made.partition(":")[0]

    listed = running.run("silences").stdout
    assert silence_id in listed
    assert "device=pump.*" in listed
    running.tested.desk.take(alert("pump.p1", severity="critical"))
    running.tested.desk.deliver()
    assert running.tested.desk.got("hub") == []
    running.run("silence", "--end", silence_id)

    assert silence_id not in running.run("silences").stdout


def test_wrong_use_is_told(running: Running) -> None:
    assert "--comment" in running.run("silence", "device=a", code=2).stderr
    assert "FIELD=VALUE" in running.run("silence", "device", "--comment", "x", code=2).stderr
    assert "--person" in running.run("why", code=2).stderr
    missing = running.run("ack", "0" * 32, code=1).stderr
    assert missing == f"error: there is no alert '{'0' * 32}'\n"
    nobody = running.run("test", "nobody", code=1).stderr
    assert "there is no person, team or receiver 'nobody'" in nobody


def test_a_test_that_is_not_delivered_fails(running: Running) -> None:
    running.tested.desk.time = at(1)
    failed = running.run("test", "ann", "--wait", "0", code=1)
    assert "mail: waiting" in failed.stdout
    assert "not all was delivered" in failed.stderr


def test_a_file_is_checked_without_a_service(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("route: {to: []}\n")
    bad.write_text("route:\n  too: []\n")
    environment = {"HEADWATER_HOME": str(tmp_path), "HEADWATER_DEBUG": "false"}

    holds = CliRunner().invoke(cli, ["alerts", "check", str(good)], env=environment)
    wrong = CliRunner().invoke(cli, ["alerts", "check", str(bad)], env=environment)

    assert holds.exit_code == 0
    assert "holds: routes 1" in holds.stdout
    assert wrong.exit_code == 1
    assert "line 2, route.too: there is no such field; did you mean to?" in wrong.stderr


def test_a_service_that_is_away_is_an_error_with_its_fix(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port_base=free_port_base())
    settings.registry_dir.mkdir()
    settings.registry_admin_key_file.write_text("hw_a.b")
    environment = {
        "HEADWATER_HOME": str(tmp_path),
        "HEADWATER_PORT_BASE": str(settings.port_base),
        "HEADWATER_DEBUG": "false",
    }

    result = CliRunner().invoke(cli, ["alerts", "list"], env=environment)

    assert result.exit_code == 1
    assert "`headwater logs alerts`" in result.stderr


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (None, "no stack was started in {home}: run `headwater up`"),
        ("light", "the light stack has no registry and no alerts service: `headwater up`"),
        ("full", "no API key: set HEADWATER_REGISTRY_KEY, or see that {home}/registry/admin.key"),
    ],
)
def test_home_without_the_service_says_what_to_start(
    tmp_path: Path, mode: Mode | None, said: str
) -> None:
    if mode:
        write_stack(tmp_path, Stack(mode, 18_000, ()))

    result = CliRunner().invoke(cli, ["alerts", "list"], env={"HEADWATER_HOME": str(tmp_path)})

    assert result.exit_code == 1
    assert said.format(home=tmp_path) in result.stderr


@pytest.mark.parametrize("lasts", ["unbounded", "9000 y"])
def test_silence_without_an_end_that_clocks_know_is_wrong_use(lasts: str) -> None:
    asked = ["alerts", "silence", "device=a", "--comment", "why", "--for", lasts]
    result = CliRunner().invoke(cli, asked, env={"HEADWATER_REGISTRY_KEY": "none"})

    assert result.exit_code == 2, result.output
