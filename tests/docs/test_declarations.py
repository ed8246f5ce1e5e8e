"""Products, rules and commands that the docs show are taken as they stand there."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway.rules import read_rules
from infra.product_fields import check_fields
from telemetry.products import Product, product_from_dict
from telemetry.rules.fitting import check_fits
from telemetry.rules.form import rule_from_dict
from tests.infra.publishing import Home, light_home

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "simulator" / "models"


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield each block of a language, with its page's name; one with … is no whole file."""
    for page in sorted((ROOT / "docs").glob("**/*.md")):
        text = page.read_text("utf-8")
        for found in re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S):
            if "…" not in found:
                yield page.name, found


def fleet_product(name: str) -> Product:
    """Return a product that a fleet of the simulator enrols."""
    return product_from_dict(json.loads((MODELS / f"{name}.json").read_text("utf-8"))["product"])


def test_products_hold() -> None:
    declared = {page: json.loads(text) for page, text in blocks("json") if '"product": "' in text}
    assert {"first-device.md", "registry.md"} <= set(declared)
    for declaration in (each for each in declared.values() if "versions" in each):
        assert product_from_dict(declaration).versions
        check_fields(declaration)


def test_rules_hold_and_fit_the_fleets_that_they_name() -> None:
    found = [yaml.safe_load(text) for _, text in blocks("yaml")]
    rules = [rule_from_dict(each) for each in found if "rule" in each]
    assert {rule.name for rule in rules} >= {"hot", "bypassed"}
    for rule in rules:
        if rule.scope.product:
            check_fits(rule, fleet_product(rule.scope.product))


def test_rules_of_foreign_topics_hold() -> None:
    found = [text for page, text in blocks("json") if page == "gateway.md"]
    assert [rule.name for text in found for rule in read_rules(text.encode())] == [
        "plugs",
        "properties",
        "temperatures",
    ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return light_home(tmp_path)


def test_csv_of_the_tutorial_is_published_with_the_words_that_it_shows(home: Home) -> None:
    page = (ROOT / "docs" / "tutorials" / "your-csv.md").read_text("utf-8")
    content = page.partition("`rooms.csv`, with")[2].partition("```\n")[2].partition("```")[0]
    command, *shown = page.partition("$ headwater publish ")[2].partition("\n```")[0].splitlines()
    file, *options = shlex.split(command)

    result = home.publish(home.file(file, content), *options, code=1)

    told = result.stderr.replace(f"{home.path}/", "") + result.stdout
    assert timeless(told.splitlines()) == timeless(shown)


def timeless(lines: list[str]) -> list[str]:
    """Take the time that it took, and the rate, from what `publish` says."""
    return [re.sub(r" in [\d.]+ s \([\d,]+/s\)", "", line) for line in lines]
