"""`headwater product`: products as files, and a lateness from measured delays."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from infra.lateness import Delay, propose, rounded_up
from telemetry.durations import format_duration
from tests.infra.lakes import NOON, delay, lake_of
from tests.infra.publishing import Home

VERSION = {"version": 1, "metrics": {"kwh": {"type": "double", "unit": "kWh", "min": 0}}}
METER = {"product": "meter", "lateness": "30 s", "versions": [VERSION]}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def product(home: Home, *arguments: str, code: int = 0) -> Result:
    result = home.run("product", *arguments)
    assert result.exit_code == code, result.output
    return result


def add(home: Home, declaration: object = METER) -> Result:
    return product(home, "add", home.file("meter.json", json.dumps(declaration)))


def test_added_product_is_shown_and_listed(home: Home) -> None:
    assert "meter: written" in add(home).stderr
    assert "meter: as it was" in add(home).stderr
    shown = json.loads(product(home, "show", "meter", "--json").stdout)
    assert shown["lateness"] == "30 s"
    assert shown["versions"][0]["metrics"]["kwh"]["unit"] == "kWh"
    assert "0 …" in product(home, "show", "meter").stdout
    assert "BACKWARD" in product(home, "show", "meter").stdout
    listed = json.loads(product(home, "list", "--json").stdout)
    assert [each["product"] for each in listed] == ["default", "meter"]
    assert "meter" in product(home, "list").stdout


def test_file_of_another_editor_is_read_or_refused_with_what_to_do(home: Home) -> None:
    marked = b"\xef\xbb\xbf" + json.dumps(METER).encode()
    product(home, "add", home.file("meter.json", marked))
    latin = home.file("pump.yaml", "product: pump\nnote: Zähler\n".encode("latin-1"))
    refused = product(home, "add", latin, code=1).stderr
    assert "pump.yaml is no text in UTF-8 (byte 22): save it as UTF-8" in refused
    listed = home.run("device", "import", latin)
    assert "pump.yaml is no text in UTF-8 (byte 22): save it as UTF-8" in listed.stderr


def test_units_in_names_are_shown(home: Home) -> None:
    metrics = {"Tool wear [min]": {"type": "double"}, "Speed [/s]": {"type": "double"}}
    add(home, METER | {"versions": [{"version": 1, "metrics": metrics}]})
    shown = product(home, "show", "meter").stdout
    assert all(name in shown for name in metrics)


def test_windows_that_were_cut_otherwise_are_told_of(home: Home) -> None:
    assert "rebuild-gold" not in add(home, METER | {"session_gap": "90 s"}).stderr
    assert "rebuild-gold" not in add(home, METER | {"session_gap": "90 s"}).stderr
    assert "rebuild-gold --from DATE" in add(home, METER | {"session_gap": "30 s"}).stderr
    sliding = {"sliding": {"width": "1 h", "every": "5 min"}}
    assert "rebuild-gold --from DATE" in add(home, METER | sliding).stderr
    assert "rebuild-gold" not in add(home, METER | sliding | {"lateness": "5 s"}).stderr


def test_rows_that_are_kept_by_the_retention_of_before_are_told_of(home: Home) -> None:
    assert "replay" not in add(home, METER | {"retention": "30 d"}).stderr
    said = add(home, METER | {"retention": "60 d"}).stderr
    assert "retention of before, 30 d: `headwater job replay --from DATE --in-place`" in said
    assert "replay" not in add(home, METER | {"retention": "60 d", "lateness": "5 s"}).stderr


def test_yaml_says_the_same(home: Home) -> None:
    path = home.file("pump.yaml", "product: pump\nlateness: 5 s\n")
    product(home, "add", path)
    assert json.loads(product(home, "show", "pump", "--json").stdout)["lateness"] == "5 s"


def test_a_list_is_added_whole_or_not_at_all(home: Home) -> None:
    path = home.file("two.json", json.dumps([METER, {"product": "p", "lateness": "soon"}]))
    result = product(home, "add", path, code=1)
    assert "two.json: product p: 'soon' is not a duration" in result.stderr
    assert "did you mean" not in product(home, "show", "meter", code=1).stderr


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.json", "{", "a.json: Expecting"),
        ("a.json", "3", "a product is an object"),
        ("a.json", '{"product": "Grün"}'.encode("latin-1"), "a.json is no text in UTF-8 (byte 16)"),
        ("a.yaml", "a: [", "a.yaml: while parsing"),
        ("a.json", '{"product": "a b"}', "is not a name"),
        ("a.json", '{"product":"a","versions":[{"version":1,"metrics":{"x":{"typ":1}}}]}', "typ"),
    ],
)
def test_wrong_file_is_named_with_what_is_wrong(
    home: Home, name: str, text: str | bytes, reason: str
) -> None:
    assert reason in product(home, "add", home.file(name, text), code=1).stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"latenes": "30 s"}, "no field of a product 'latenes'; did you mean lateness?"),
        ({"versions": [{**VERSION, "metric": {}}]}, "no field of a version 'metric'; did you mean"),
        ({"sliding": {"widht": "1 h"}}, "no field of sliding windows 'widht'; did you mean width?"),
    ],
)
def test_misspelt_field_is_refused_and_nothing_is_written(
    home: Home, wrong: dict[str, object], said: str
) -> None:
    result = product(home, "add", home.file("m.json", json.dumps(METER | wrong)), code=1)
    assert f"m.json: product meter: there is {said}" in result.stderr
    assert "meter" not in product(home, "list").stdout


def test_every_field_that_is_shown_can_be_added_again(home: Home) -> None:
    whole = {"sliding": {"width": "2 h"}, "session_gap": "5 min", "compatibility": "FULL"}
    add(home, METER | whole)
    shown = product(home, "show", "meter", "--json").stdout
    assert set(whole) <= set(json.loads(shown))
    assert "as it was" in product(home, "add", home.file("again.json", shown)).stderr


def test_product_shows_units_as_they_are_written(home: Home) -> None:
    metrics = {"t[0]": {"unit": "[degF]"}, "n:b:": {"unit": "[/x]"}}
    path = home.file("bom.json", "\ufeff" + json.dumps({
        "product": "oven", "versions": [{"version": 1, "metrics": metrics}]
    }))  # fmt: skip
    product(home, "add", path)
    shown = product(home, "show", "oven").stdout
    assert all(text in shown for text in ("t[0]", "[degF]", "n:b:", "[/x]"))


def test_unknown_product_gets_near_names(home: Home) -> None:
    add(home)
    result = product(home, "show", "metre", code=1)
    assert result.stderr == "error: there is no product 'metre'; did you mean meter?\n"


@pytest.mark.parametrize(
    ("seconds", "lateness"),
    [
        (0, "2 s"),
        (2, "2 s"),
        (2.001, "5 s"),
        (29, "30 s"),
        (31, "5 min"),
        (300, "5 min"),
        (301, "unbounded"),
    ],
)
def test_p99_is_rounded_up_to_a_step(seconds: float, lateness: str) -> None:
    assert format_duration(rounded_up(seconds)) == lateness


def test_worst_hour_decides() -> None:
    hours = [Delay(NOON + timedelta(hours=n), 10, 0.1, 0.2, p99, 9) for n, p99 in enumerate((1, 4))]
    assert propose("meter", None, hours).proposed == timedelta(seconds=5)


def test_lateness_is_proposed_with_a_table_and_a_plot(home: Home) -> None:
    add(home)
    delays = [delay("meter", NOON + timedelta(hours=n), 3.0 + n) for n in range(5)]
    lake_of(home.path, delays=[*delays, delay("pump", NOON, 900.0)])

    text = product(home, "lateness", "meter").stdout
    assert "proposed lateness 30 s, declared 30 s" in text
    assert "2024-01-01 16:00" in text
    assert "delivery delay of meter" in text
    found = json.loads(product(home, "lateness", "meter", "--json").stdout)
    assert (found["proposed"], found["p99_s"], found["messages"]) == ("30 s", 7.0, 500)
    picture = home.path / "delays.png"
    product(home, "lateness", "meter", "--png", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_lateness_without_a_measurement_says_so(home: Home) -> None:
    add(home)
    assert "headwater up" in product(home, "lateness", "meter", code=1).stderr
    lake_of(home.path)
    result = product(home, "lateness", "meter", code=1)
    assert "no delay of product meter is measured yet" in result.stderr
