"""`headwater device`: enrolment by hand and by file."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from edge.registry_files import RegistryFiles
from telemetry.devices import Device
from telemetry.products import history_product
from tests.infra.publishing import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    RegistryFiles(tmp_path / "registry").put_product(history_product("meter"))
    return Home(tmp_path)


def device(home: Home, *arguments: str, code: int = 0) -> Result:
    result = home.run("device", *arguments)
    assert result.exit_code == code, result.output
    return result


def devices(home: Home) -> list[Device]:
    return list(RegistryFiles(home.path / "registry").devices())


def test_added_device_is_shown_and_listed(home: Home) -> None:
    device(home, "add", "m1", "--product", "meter", "--zone", "north", "--lat", "48.1")
    assert devices(home) == [Device("meter.m1", zone="north", lat=48.1)]
    assert json.loads(device(home, "show", "meter.m1", "--json").stdout)["zone"] == "north"
    shown = device(home, "show", "meter.m1").stdout
    assert all(word in shown for word in ("north", "industrial", "enabled"))
    assert "meter.m1" in device(home, "list", "--product", "meter").stdout
    assert "no product 'pump'" in device(home, "list", "--product", "pump", code=1).output
    assert device(home, "list", "--product", "default", "--json").stdout == ""


def test_what_is_not_given_stays(home: Home) -> None:
    device(home, "add", "meter.m1", "--zone", "north", "--firmware", "1.0")
    device(home, "add", "meter.m1", "--firmware", "1.1")
    assert devices(home) == [Device("meter.m1", zone="north", firmware="1.1")]
    assert "as it was" in device(home, "add", "meter.m1").stderr


@pytest.mark.parametrize("since", ["soon", "0001-01-01T00:00:00+14:00"])
def test_time_that_is_none_in_utc_is_refused(home: Home, since: str) -> None:
    path = home.file("fleet.csv", f"device,valid_from\nmeter.m1,{since}\n")
    assert "is not an ISO time" in device(home, "import", path, code=1).stderr
    assert devices(home) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["metr.m1"], "there is no product 'metr'; did you mean meter?"),
        (["meter.a b"], "is not a device name"),
        (["meter.m1", "--product", "pump"], "its name says another product than 'pump'"),
        (["m1", "--tenant", "a/b"], "is no name of a tenant"),
    ],
)
def test_wrong_name_is_an_error(home: Home, arguments: list[str], reason: str) -> None:
    assert reason in device(home, "add", *arguments, code=1).stderr
    assert devices(home) == []


def test_place_out_of_range_is_wrong_use(home: Home) -> None:
    assert "--lat" in device(home, "add", "m1", "--lat", "91", code=2).stderr


@pytest.mark.parametrize(
    "text",
    [
        "device,product,zone,lat\nm1,meter,north,48.1\nplain,,,\n",
        '{"device":"meter.m1","zone":"north","lat":48.1}\n\n{"device":"plain"}',
    ],
)
def test_file_is_imported(home: Home, text: str) -> None:
    result = device(home, "import", home.file("fleet", text))
    assert json.loads(result.stdout) == {"read": 2, "written": 2}
    assert devices(home) == [Device("meter.m1", zone="north", lat=48.1), Device("plain")]
    again = device(home, "import", home.file("fleet", text))
    assert json.loads(again.stdout) == {"read": 2, "written": 0}


def test_column_that_a_file_has_not_stays_as_it_is(home: Home) -> None:
    device(home, "add", "m1", "--zone", "north", "--customer", "c")

    device(home, "import", home.file("fleet", "device,customer,firmware\nm1,,2\n"))

    assert devices(home) == [Device("m1", zone="north", firmware="2")]


def test_field_that_is_said_to_be_empty_is_taken_away(home: Home) -> None:
    device(home, "add", "m1", "--zone", "north", "--customer", "c")

    device(home, "add", "m1", "--zone", "")

    assert devices(home) == [Device("m1", customer="c")]


def test_tables_show_texts_as_they_are(home: Home) -> None:
    device(home, "add", "meter.e4:ab:30:b:", "--zone", "[degF] [/]", "--customer", "[red]")
    assert "meter.e4:ab:30:b:" in (listed := device(home, "list").stdout)
    assert "[degF] [/]" in listed
    assert "[red]" in listed


def test_product_of_a_whole_file_is_given(home: Home) -> None:
    device(home, "import", home.file("fleet", "device\nm1\nm2\n"), "--product", "meter")
    assert [each.device_full for each in devices(home)] == ["meter.m1", "meter.m2"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("device,lat\nm1,1\nm2,95\n", "fleet, line 3: device m2: lat '95' is not within"),
        ("device,lat\nm1\n", "fleet, line 2: not as wide as the header"),
        ("zone\nnorth\n", "fleet, line 1: the column or field device is missing"),
        ("device,zon\nm1,x\n", "fleet, line 1: unknown zon"),
        ('{"device":"m1"}\n{"device":', "fleet, line 2: not JSON"),
        ('{"device":"m1"}\n[1]', "fleet, line 2: not a JSON object"),
        ("device\npump.p1\n", "there is no product 'pump'"),
        ("device,product\nmeter.m1,pump\n", "line 2: device meter.m1: its name says another"),
        ("device,tenant\nm1,a/b\n", "line 2: device m1: 'a/b' is no name of a tenant"),
        ("device,is_disabled\nm1,\nm2,TRUE\n", "device m2: is_disabled is the registry's to keep"),
        ("device,is_disabled\nm1,perhaps\n", "line 2: device m1: is_disabled 'perhaps' is neither"),
        ("device,zone,zone\nm1,a,b\n", "fleet, line 1: two columns have one name"),
        ('"device"x,zone\nm1,a\n', "fleet, line 1: ',' expected"),
        ('device,zone\nm1,a\nm2,"b\n', "fleet, line 3: unexpected end"),
        ("device,zone\nm1,Köln\n".encode("latin-1"), "fleet is no text in UTF-8 (byte 17)"),
    ],
)
def test_wrong_line_is_named_and_nothing_imported(
    home: Home, text: str | bytes, reason: str
) -> None:
    assert reason in device(home, "import", home.file("fleet", text), code=1).stderr
    assert devices(home) == []


def test_file_that_cannot_be_written_is_named_and_no_defect(home: Home) -> None:
    path = f"{home.path}/nowhere/fleet.csv"
    refused = device(home, "export", path, code=1).stderr
    assert f"error: {path}: No such file or directory" in refused
    assert "defect" not in refused


def test_unknown_device_gets_near_names(home: Home) -> None:
    device(home, "add", "meter.m1")
    result = device(home, "show", "meter.m2", code=1)
    assert result.stderr == "error: there is no device 'meter.m2'; did you mean meter.m1?\n"


def test_long_list_is_cut_with_a_word(home: Home) -> None:
    text = "device\n" + "".join(f"m{number}\n" for number in range(60))
    device(home, "import", home.file("fleet", text), "--product", "meter")
    assert "10 more" in device(home, "list").stderr
    assert len(device(home, "list", "--json").stdout.splitlines()) == 60
