"""`headwater rules try`: how often a rule would have fired, and on whom."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from tests.detection.rules.engine_models import ENGINE, lives, save_engine_model
from tests.detection.rules.mill_models import (
    FRESH,
    NAMES,
    VERSION,
    WORN,
    save_mill_model,
)
from tests.infra.lakes import NOON, lake_of, reading
from tests.infra.publishing import Home

HOT = "rule: hot\nmetric: temperature\ncheck: {kind: threshold, bound: 90}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def tried(home: Home, *arguments: str, code: int = 0) -> Result:
    result = home.run("rules", "try", *arguments)
    assert result.exit_code == code, result.output
    return result


def minutes(count: int) -> datetime:
    return NOON + timedelta(minutes=count)


def lake(home: Home) -> None:
    """Two boilers over two days: b1 is hot twice, b2 at the end; a meter is no boiler."""
    heats = {"boiler.b1": {3, 4, 5, 1500}, "boiler.b2": {1998, 1999}, "meter.m1": set(range(9))}
    rows = [
        {**reading(device, "temperature", minutes(minute), 95.0 if minute in hot else 50.0),
         "received_at": minutes(minute), "event_date": minutes(minute).date(),
         "retention_class": "default", "topic": "spool", "partition": 0, "offset": minute,
         "item": 0}
        for device, hot in heats.items() for minute in (*range(10), *range(1495, 1505),
                                                        *range(1990, 2000))
    ]  # fmt: skip
    lake_of(home.path, readings=rows)


def test_table_says_how_often_on_whom_and_for_how_long(home: Home) -> None:
    lake(home)
    hot = home.file("hot.yaml", HOT + "scope: {product: boiler}\n")
    found = json.loads(tried(home, hot, "--json").stdout)

    assert (found["alarms"], found["devices"], found["devices_with_alarms"]) == (3, 2, 2)
    assert found["readings"] == 60
    first, second = found["by_device"]
    assert (first["device"], first["alarms"], first["longest_s"]) == ("boiler.b1", 2, 180.0)
    assert first["share_in_alarm"] == pytest.approx(4 / 30, abs=1e-6)
    assert first["first"] == minutes(3).isoformat()
    assert (second["device"], second["longest_s"]) == ("boiler.b2", 60.0)
    assert second["share_in_alarm"] == pytest.approx(2 / 30, abs=1e-6)
    text = tried(home, hot).stdout
    assert "3 alarms on 2 of 2 devices in 60 readings" in text
    assert "above 90" in text


def test_span_and_name_narrow_what_is_tried(home: Home) -> None:
    lake(home)
    home.run("rules", "add", home.file("hot.yaml", HOT))
    span = ("--from", minutes(1000).isoformat(), "--to", minutes(1990).isoformat())
    found = json.loads(tried(home, "hot", *span, "--json").stdout)
    assert [(one["device"], one["alarms"]) for one in found["by_device"]] == [("boiler.b1", 1)]
    assert "no reading" in tried(home, "hot", "--from", "2030-01-01", code=1).stderr
    assert "did you mean hot" in tried(home, "hit", code=1).stderr


def test_plot_is_saved(home: Home) -> None:
    lake(home)
    picture = home.path / "hot.png"
    tried(home, home.file("hot.yaml", HOT), "--png", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_file_of_ones_own_is_tried_without_a_lake(home: Home) -> None:
    lines = [f"2026-01-01T00:{minute:02}:00,m{minute % 2},{minute}" for minute in range(40)]
    table = home.file("fleet.csv", "\n".join(["time,device,temperature", *lines]))
    cool = HOT.replace("90", "35") + "scope: {product: boiler}\n"
    picture = home.path / "cool.png"
    found = json.loads(
        tried(home, home.file("cool.yaml", cool), "--csv", table, "--json",
              "--png", str(picture)).stdout
    )  # fmt: skip
    assert [one["device"] for one in found["by_device"]] == ["boiler.m0", "boiler.m1"]
    assert found["readings"] == 40
    assert picture.exists()


def test_silence_is_tried_too(home: Home) -> None:
    lake(home)
    silent = home.file("silent.yaml", "rule: silent\ncheck: {kind: no_data, lasts: 1 h}\n")
    found = json.loads(tried(home, silent, "--json").stdout)
    assert [one["alarms"] for one in found["by_device"]] == [2, 2, 2]


def test_devices_that_move_away_are_no_longer_tried(home: Home) -> None:
    rows = [
        {**reading(device, "temperature", minutes(minute), 95.0), "zone": zone,
         "received_at": minutes(minute), "event_date": minutes(minute).date(),
         "retention_class": "default", "topic": "spool", "partition": 0, "offset": minute,
         "item": 0}
        for device, left in (("boiler.b1", 30), ("boiler.b2", 0)) for minute in range(0, 90, 5)
        for zone in ["north" if minute < left else "south"]
    ]  # fmt: skip
    lake_of(home.path, readings=rows)
    north = "scope: {product: boiler, zone: north}\n"
    silent = f"rule: silent\ncheck: {{kind: no_data, lasts: 20 min}}\n{north}"

    for text, alarms in ((HOT + north, 1), (silent, 0)):
        found = json.loads(tried(home, home.file("north.yaml", text), "--json").stdout)
        assert (found["alarms"], found["readings"], found["devices"]) == (alarms, 6, 1)
        assert [one["longest_s"] for one in found["by_device"]] == [1800.0] * alarms


def test_detector_is_tried_and_alarms_where_detect_does(home: Home) -> None:
    noise = np.random.default_rng(3).normal(50.0, 2.0, 900).round(3)
    noise[[400, 700]] = 300.0, 900.0
    lines = [f"{minutes(place).isoformat()},m{place % 2},{value}"
             for place, value in enumerate(noise.tolist())]  # fmt: skip
    table = home.file("fleet.csv", "\n".join(["time,device,power", *lines]))
    novel = home.file("novel.yaml", "rule: novel\nmetric: power\ncheck: {kind: detector}\n")
    found = json.loads(tried(home, novel, "--csv", table, "--json").stdout)

    scores = home.path / "scores.csv"
    home.run("detect", table, "--out", str(scores))
    alarms = [
        row.split(",")[3] for row in scores.read_text().splitlines() if row.split(",")[2] == "1"
    ]
    assert len(alarms) >= 2
    by_device = {one["device"]: one["alarms"] for one in found["by_device"]}
    assert by_device == {device: alarms.count(device) for device in set(alarms)}


def test_file_whose_times_step_back_is_tried_in_the_order_of_its_times(home: Home) -> None:
    hot = home.file("hot.yaml", HOT)
    lines = [
        f"{minutes(minute).isoformat()},{device},{95.0 if minute in (3, 4, 9) else 50.0}"
        for minute in range(12)
        for device in ("a", "b")
    ]
    for name, rows in (("sorted.csv", lines), ("mixed.csv", lines[7:] + lines[:7])):
        table = home.file(name, "\n".join(["time,device,temperature", *rows]))
        found = json.loads(tried(home, hot, "--csv", table, "--json").stdout)
        assert [(one["device"], one["alarms"]) for one in found["by_device"]] == [
            ("a", 2),
            ("b", 2),
        ]


def test_model_is_tried_too(home: Home) -> None:
    check = f"{{kind: model, model: mills, version: {VERSION}, bound: 0.5}}"
    failing = home.file(
        "failing.yaml", f"rule: failing\nmetrics: [{', '.join(NAMES)}]\ncheck: {check}\n"
    )
    lines = [
        ",".join([minutes(place).isoformat(), f"m{mill}", *map(str, state)])
        for place in range(6)
        for mill, state in enumerate((FRESH, WORN if place in (2, 4) else FRESH))
    ]
    table = home.file("mills.csv", "\n".join([",".join(["time", "device", *NAMES]), *lines]))
    refused = tried(home, failing, "--csv", table, code=1).stderr
    assert "rule failing: there is no model" in refused

    (home.path / "models").mkdir()
    save_mill_model(home.path / "models" / "mills.model")
    found = json.loads(tried(home, failing, "--csv", table, "--json").stdout)
    assert [(one["device"], one["alarms"]) for one in found["by_device"]] == [("m1", 2)]
    assert "make model mills answer" in found["by_device"][0]["text"]


def test_model_of_remaining_life_is_tried_too(home: Home) -> None:
    check = f"{{kind: model, model: engines, version: {VERSION}, bound: 40, direction: below}}"
    near = home.file("near.yaml", f"rule: near\nmetrics: [{', '.join(ENGINE)}]\ncheck: {check}\n")
    lines = [
        ",".join(
            [minutes(int(row[1])).isoformat(), f"e{int(row[0])}", *map(repr, row[1:].tolist())]
        )
        for row in lives(2)
    ]
    table = home.file("engines.csv", "\n".join([",".join(["time", "engine", *ENGINE]), *lines]))
    (home.path / "models").mkdir()
    save_engine_model(home.path / "models" / "engines.model", VERSION)

    arguments = ("--csv", table, "--device-column", "engine", "--json")
    found = json.loads(tried(home, near, *arguments).stdout)

    assert {one["device"] for one in found["by_device"]} == {"e0", "e1"}
    assert all(one["alarms"] >= 1 for one in found["by_device"])
    assert "make model engines answer" in found["by_device"][0]["text"]


@pytest.mark.parametrize(
    ("rule", "arguments", "said"),
    [
        (HOT, ["--csv", "{table}"], "there is no column 'temperature'; the columns are a, b"),
        (HOT.replace("temperature", "b"), ["--csv", "{table}", "--time-column", "c"],
         "there is no time column 'c': a, b"),
        (HOT.replace("temperature", "b"), ["--csv", "{table}"], "which column is the time?"),
        (HOT.replace("temperature", "b"), ["--csv", "{table}", "--time-column", "a"],
         "row 1 below the header: 'x' is no time"),
        (HOT.replace("temperature", "a"), ["--csv", "{table}", "--time-column", "b"],
         "b counts from no known start: a rule is tried on dates and times"),
        (HOT, [], "run `headwater up` first, or try the rule on a file"),
        (HOT, ["--from", "soon"], "--from 'soon' is no ISO time"),
        ("- {}\n- {}\n", [], "holds 2 rules"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_said(
    home: Home, rule: str, arguments: list[str], said: str
) -> None:
    table = home.file("table.csv", "a,b\nx,1\n")
    given = [argument.format(table=table) for argument in arguments]
    result = home.run("rules", "try", home.file("rule.yaml", rule), *given)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
