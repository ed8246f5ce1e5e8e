"""Commands that speak with a registry that runs: what they say, and what then holds."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner, Result

from edge.registry_files import RegistryFiles
from edge.rule_files import RuleFiles
from infra.cli import cli
from infra.registry.service import registry_service
from infra.service_client import Json, open_registry
from telemetry.devices import Device
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

METER = {"product": "meter", "versions": [{"version": 1, "metrics": {"kwh": {"unit": "kWh"}}}]}


@dataclass(frozen=True, slots=True)
class Running:
    """A registry's process, and commands of its home."""

    settings: Settings

    def run(self, *arguments: str, code: int = 0) -> Result:
        """Run a command in this process."""
        environment = {
            "HEADWATER_HOME": str(self.settings.home),
            "HEADWATER_PORT_BASE": str(self.settings.port_base),
            "HEADWATER_DEBUG": "false",
        }
        result = CliRunner().invoke(cli, list(arguments), env=environment)
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: str) -> dict[str, object]:
        """Run a command and read what it prints."""
        found: dict[str, object] = json.loads(self.run(*arguments).stdout)
        return found

    def file(self, name: str, text: str) -> str:
        """Write a file and return its name."""
        (self.settings.home / name).write_text(text)
        return str(self.settings.home / name)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, port_base=free_port_base())
    service = registry_service(settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "services.registry", "--without-kafka"],
        env={"HEADWATER_HOME": str(home), "HEADWATER_PORT_BASE": str(settings.port_base)},
        cwd=Path(__file__).parents[2],
    )
    give_up = time.monotonic() + 60
    while service.complaint():
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.1)
    found = Running(settings)
    found.run("product", "add", found.file("meter.json", json.dumps(METER)))
    yield found
    process.terminate()
    process.wait(timeout=30)


def test_product_is_added_once_and_held_to_its_versions(running: Running) -> None:
    path = running.file("meter.json", json.dumps(METER))
    assert "meter: as it was" in running.run("product", "add", path).stderr
    changed = json.dumps(METER).replace("kWh", "Wh")
    refused = running.run("product", "add", running.file("m.json", changed), code=1)
    assert "a version stays as it is" in refused.stderr
    shown = running.json("product", "show", "meter", "--json")
    assert shown["product"] == "meter"
    assert "default" in running.run("product", "list").stdout


def test_device_is_added_shown_and_listed(running: Running) -> None:
    added = running.run("device", "add", "meter.m1", "--zone", "north")
    assert added.stderr == "meter.m1: written\n"
    running.run("device", "add", "meter.m1", "--durability", "consumer")
    shown = running.json("device", "show", "meter.m1", "--json")
    assert (shown["zone"], shown["durability"]) == ("north", "consumer")
    assert "as it was" in running.run("device", "add", "meter.m1").stderr
    assert "meter.m1" in running.run("device", "list", "--product", "meter").stdout
    nothing = running.run("device", "list", "--product", "metre", code=1).stderr
    assert "did you mean meter" in nothing
    missing = running.run("device", "show", "meter.m2", code=1).stderr
    assert missing == "error: there is no device 'meter.m2'; did you mean meter.m1?\n"
    assert "did you mean meter" in running.run("device", "add", "metr.m1", code=1).stderr


def test_secret_is_issued_rotated_and_revoked(running: Running) -> None:
    running.run("device", "add", "meter.s1")
    issued = running.json("device", "credentials", "meter.s1", "--issue", "--json")
    rotated = running.run("device", "rotate", "meter.s1", "--overlap-days", "1")
    assert "product_key meter" in rotated.stdout
    assert str(issued["secret"]) not in rotated.stdout
    listed = running.run("device", "credentials", "meter.s1").stdout
    assert listed.count("live") == 2
    running.run("device", "revoke", "meter.s1", "--credential", str(issued["credential_id"]))
    assert "revoked" in running.run("device", "credentials", "meter.s1").stdout
    running.run("device", "revoke", "meter.s1")
    assert "live" not in running.run("device", "credentials", "meter.s1").stdout
    assert running.json("device", "show", "meter.s1", "--json")["state"] == "disabled"
    enabled = running.run("device", "enable", "meter.s1").stderr
    assert "It has no secret: headwater device credentials meter.s1 --issue" in enabled
    running.run("device", "credentials", "meter.s1", "--issue")
    assert running.run("device", "enable", "meter.s1").stderr == "meter.s1: enabled\n"
    assert running.json("device", "show", "meter.s1", "--json")["state"] == "enabled"


def test_fleet_is_imported_with_secrets_and_exported(running: Running) -> None:
    lines = "".join(f"f{number},north\n" for number in range(2500))
    fleet = running.file("fleet.csv", f"device,zone\n{lines}")
    secrets = running.settings.home / "secrets.csv"
    again = ("device", "import", fleet, "--product", "meter", "--secrets", str(secrets))
    assert running.json(*again) == {"read": 2500, "written": 2500}
    assert len(secrets.read_text().splitlines()) == 2501
    assert secrets.stat().st_mode & 0o777 == 0o600

    exported = running.settings.home / "out.ndjson"
    assert "2," in running.run("device", "export", str(exported)).stderr
    names = [json.loads(line)["device_full"] for line in exported.read_text().splitlines()]
    assert {"meter.f0", "meter.f2499"} <= set(names)
    running.run("device", "add", "meter.formula", "--zone", "=1+1")
    table = exported.with_suffix(".csv")
    running.run("device", "export", str(table))
    assert ",'=1+1," in table.read_text()
    assert running.json("device", "import", str(table))["written"] == 0


def test_fleet_of_a_tenant_is_imported_by_the_tenants_own_key(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = open_registry(running.settings)
    client.ask("PUT", "/v1/tenants/acme", {})
    made = client.ask("POST", "/v1/api-keys", {"role": "operator"}, {"tenant": "acme"})
    monkeypatch.setenv("HEADWATER_REGISTRY_KEY", str(cast(Json, made)["key"]))
    fleet = running.file("acme.csv", "device,zone\na1,north\n")

    assert "not of tenant default" in running.run("device", "import", fleet, code=1).stderr
    assert running.json("device", "import", fleet, "--tenant", "acme")["written"] == 1
    assert running.json("device", "show", "a1", "--tenant", "acme", "--json")["zone"] == "north"
    enabled = running.run("device", "enable", "a1", "--tenant", "acme")
    assert "device credentials a1 --issue --tenant acme" in enabled.stderr


def test_disabled_device_is_exported_and_imported_as_such(running: Running) -> None:
    exported = running.settings.home / "disabled.csv"
    running.run("device", "add", "meter.off")
    running.run("device", "revoke", "meter.off")
    running.run("device", "export", str(exported))
    running.run("device", "enable", "meter.off")

    assert running.json("device", "import", str(exported))["written"] == 1
    assert running.json("device", "show", "meter.off", "--json")["state"] == "disabled"


def test_import_that_is_done_again_keeps_the_secrets_that_were_shown_once(
    running: Running,
) -> None:
    secrets = running.settings.home / "kept.csv"
    first = running.file("first.csv", "device\nk1\n")
    more = running.file("more.csv", "device\nk1\nk2\n")
    for fleet in (first, more, more):
        running.run("device", "import", fleet, "--product", "meter", "--secrets", str(secrets))
        secrets.chmod(0o644)
    running.run("device", "import", more, "--product", "meter", "--secrets", str(secrets))

    names = [line.partition(",")[0] for line in secrets.read_text().splitlines()]
    assert names == ["device_full", "meter.k1", "meter.k2"]
    assert secrets.stat().st_mode & 0o777 == 0o600
    other = running.file("other.csv", "zone,customer\n")
    refused = running.run("device", "import", more, "--secrets", other, code=1)
    assert "holds something else" in refused.stderr
    assert Path(other).read_text() == "zone,customer\n"


def test_texts_of_any_script_come_out_as_they_went_in(running: Running) -> None:
    zone = "n\u2028\x85o 東 [degF] [/]"
    fleet = running.file("u.ndjson", json.dumps({"device": "meter.u:ab:b:1", "zone": zone}) + "\n")
    running.run("device", "import", fleet)
    exported = running.settings.home / "u-out.ndjson"
    running.run("device", "export", str(exported))
    said = [json.loads(line) for line in exported.read_text().split("\n") if line]
    assert zone in [one.get("zone") for one in said]
    listed = running.run("device", "list", "--limit", "100000").stdout
    assert "meter.u:ab:b:1" in listed
    assert "東 [degF]" in listed


def test_what_is_registered_reaches_the_files_that_landing_reads(running: Running) -> None:
    running.run("device", "add", "landed", "--zone", "south")
    files = RegistryFiles(running.settings.registry_dir)
    give_up = time.monotonic() + 20
    while (found := files.device("landed")) is None:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert found.zone == "south"
    files.enrol([Device("by-publish")])
    while "by-publish" not in running.run("device", "list", "--json").stdout:
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_rule_is_kept_in_versions_and_reaches_the_files(running: Running) -> None:
    hot = "rule: hot\nmetric: kwh\nscope: {product: meter}\ncheck: {kind: threshold, bound: 9}\n"
    assert running.run("rules", "add", running.file("hot.yaml", hot)).stderr == (
        "hot: version 1, off\n"
    )
    running.run("rules", "on", "hot")
    hotter = running.file("hotter.yaml", hot.replace("9", "10"))
    assert running.run("rules", "add", hotter).stderr == "hot: version 2, on\n"
    assert running.run("rules", "add", hotter).stderr == "hot: as it was\n"
    shown = running.run("rules", "show", "hot", "--versions", "--json").stdout
    assert [(one["version"], one["is_on"]) for one in json.loads(shown)] == [
        (2, True), (1, True), (1, False),
    ]  # fmt: skip
    assert "change" in running.run("rules", "show", "hot", "--versions").stdout
    wrong = running.file("wrong.yaml", hot.replace("kwh", "kvh"))
    assert "has no metric 'kvh'" in running.run("rules", "add", wrong, code=1).stderr
    files = RuleFiles(running.settings.registry_dir)
    give_up = time.monotonic() + 20
    while files.rules().get(("default", "hot")) is None or (
        files.rules()["default", "hot"].version != 2
    ):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert files.rules()["default", "hot"].is_on


def test_wrong_key_and_no_registry_name_the_fix(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_REGISTRY_KEY", "hw_no.key")
    assert "HEADWATER_REGISTRY_KEY" in running.run("device", "list", code=1).stderr
    monkeypatch.setenv("HEADWATER_REGISTRY_URL", f"http://127.0.0.1:{free_port_base()}")
    assert "does not answer" in running.run("device", "list", code=1).stderr
    monkeypatch.delenv("HEADWATER_REGISTRY_URL")
    nowhere = Running(Settings(home=tmp_path, port_base=running.settings.port_base))
    assert "`headwater up`" in nowhere.run("device", "rotate", "m1", code=1).stderr
