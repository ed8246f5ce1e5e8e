"""`headwater rules`: rules as files of a home without a registry."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.infra.publishing import Home

SHIPPED = Path(__file__).parents[2] / "simulator" / "rules"
HOT = "rule: hot\nmetric: temperature\ncheck: {kind: threshold, bound: 90}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def rules(home: Home, *arguments: str, code: int = 0) -> Result:
    result = home.run("rules", *arguments)
    assert result.exit_code == code, result.output
    return result


def test_rule_is_added_changed_switched_shown_and_listed(home: Home) -> None:
    hot = home.file("hot.yaml", HOT)
    assert rules(home, "add", hot).stderr == "hot: version 1, off\n"
    assert rules(home, "add", hot).stderr == "hot: as it was\n"
    assert rules(home, "on", "hot").stderr == "hot: version 1, on\n"
    hotter = home.file("hotter.yaml", HOT.replace("90", "95"))
    assert rules(home, "add", hotter).stderr == "hot: version 2, on\n"
    assert rules(home, "add", hotter, "--off").stderr == "hot: version 2, off\n"

    shown = json.loads(rules(home, "show", "hot", "--json").stdout)
    assert shown["check"] == {"kind": "threshold", "bound": 95.0, "direction": "above"}
    again = home.file("again.json", json.dumps(shown))
    assert rules(home, "add", again).stderr == "hot: as it was\n"
    assert "temperature" in rules(home, "show", "hot").stdout
    assert "95" in rules(home, "show", "hot", "--versions").stdout
    (listed,) = json.loads(rules(home, "list", "--json").stdout)
    assert (listed["rule"], listed["version"], listed["is_on"]) == ("hot", 2, False)
    assert "threshold" in rules(home, "list").stdout


def test_wrong_rule_is_named_by_file_and_field_and_nothing_is_added(home: Home) -> None:
    good = home.file("hot.yaml", HOT)
    wrong = home.file("wrong.yaml", HOT.replace("90", "high").replace("hot", "wrong"))
    result = rules(home, "add", good, wrong, code=1)
    assert "wrong.yaml: rule wrong: check.bound: expected `float`" in result.stderr
    assert json.loads(rules(home, "list", "--json").stdout) == []


def test_times_of_day_and_names_of_colons_need_no_quotes(home: Home) -> None:
    night = "schedule: {from: 22:00, to: 06:00}\nscope: {device: 10:11:22:33:44:55}\n"
    rules(home, "add", home.file("hot.yaml", HOT + night))

    shown = json.loads(rules(home, "show", "hot", "--json").stdout)
    assert (shown["schedule"]["from"], shown["schedule"]["to"]) == ("22:00", "06:00")
    assert shown["scope"] == {"device": "10:11:22:33:44:55"}


def test_product_that_is_not_there_is_refused(home: Home) -> None:
    hot = home.file("hot.yaml", HOT + "scope: {product: boiler}\n")
    assert "there is no product 'boiler'" in rules(home, "add", hot, code=1).stderr
    metrics = {"temp": {"unit": "°C"}}
    boiler = {"product": "boiler", "versions": [{"version": 1, "metrics": metrics}]}
    assert home.run("product", "add", home.file("b.json", json.dumps(boiler))).exit_code == 0
    assert "no metric 'temperature'; it has temp" in rules(home, "add", hot, code=1).stderr


@pytest.mark.parametrize("shipped", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_rules_are_added_as_the_docs_say(home: Home, shipped: Path) -> None:
    for name in ("home", "press", "roadside", "filler"):
        model = json.loads((SHIPPED.parent / "models" / f"{name}.json").read_text())
        product = home.file(f"{name}.json", json.dumps(model["product"]))
        assert home.run("product", "add", product).exit_code == 0
    said = rules(home, "add", str(shipped), "--on").stderr.splitlines()
    assert len(said) == shipped.read_text().count("rule: ")
    assert all(line.endswith(": version 1, on") for line in said)


def test_unknown_rule_gets_near_names(home: Home) -> None:
    rules(home, "add", home.file("hot.yaml", HOT))
    result = rules(home, "on", "hit", code=1)
    assert result.stderr == "error: there is no rule 'hit'; did you mean hot?\n"


@pytest.mark.parametrize("command", ["add", "list", "show", "on", "off"])
def test_help_has_examples(home: Home, command: str) -> None:
    assert f"headwater rules {command}" in rules(home, command, "--help").stdout
