"""Fleets and what they enrol."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.registry_files import RegistryFiles
from simulator.fleet import build_fleet, enrol
from simulator.scenarios import load_scenario, scenario_from_dict
from telemetry.devices import Device
from telemetry.errors import HeadwaterError
from telemetry.products import Metric, Product, SchemaVersion

CLEAN = load_scenario("clean")
PUMPS = load_scenario("schema-change")


def test_shares_are_kept_and_every_model_has_a_device() -> None:
    sizes = [build_fleet(CLEAN, 100, 1).size_of(place) for place in range(5)]

    assert sizes == [40, 25, 20, 10, 5]
    assert [build_fleet(CLEAN, 5, 1).size_of(place) for place in range(5)] == [1, 1, 1, 1, 1]
    with pytest.raises(HeadwaterError, match="--devices"):
        build_fleet(CLEAN, 4, 1)


def test_a_name_stands_at_the_same_place_in_every_run() -> None:
    small = {device.device_full: device for device in build_fleet(CLEAN, 50, 1).devices}
    large = {device.device_full: device for device in build_fleet(CLEAN, 500, 2).devices}

    assert all(large[name] == device for name, device in small.items())
    assert len({device.zone for device in large.values()}) > 4


def test_fleets_side_by_side_have_devices_of_their_own() -> None:
    all_of_them = build_fleet(CLEAN, 500, 1)
    begun_later = build_fleet(CLEAN, 50, 2, first=10)
    places = {device.device_full: device for device in all_of_them.devices}

    assert all(places[device.device_full] == device for device in begun_later.devices)
    named = zip(all_of_them.devices, all_of_them.tags, strict=True)
    tags = {device.device_full: each for device, each in named}
    pairs = zip(begun_later.devices, begun_later.tags, strict=True)
    assert all(tags[device.device_full] == each for device, each in pairs)
    here = build_fleet(CLEAN, 50, 1).devices
    there = build_fleet(CLEAN, 50, 1, first=50).devices
    assert not {each.device_full for each in here} & {each.device_full for each in there}


def test_schema_changes_only_when_it_is_time(tmp_path: Path) -> None:
    registry = RegistryFiles(tmp_path)
    fleet = build_fleet(PUMPS, 10, 1)

    enrol(fleet, registry, upgraded=False)
    before = registry.products()["default", "pump"]
    enrol(fleet, registry, upgraded=True)
    after = registry.products()["default", "pump"]
    enrol(fleet, registry, upgraded=False)

    assert [version.version for version in before.versions] == [1]
    assert [version.version for version in after.versions] == [1, 2]
    assert registry.products()["default", "pump"] == after


def test_what_a_person_has_set_stays(tmp_path: Path) -> None:
    registry = RegistryFiles(tmp_path)
    fleet = build_fleet(CLEAN, 10, 1)
    enrol(fleet, registry, upgraded=True)
    product = replace(registry.products()["default", "meter"], lateness=timedelta(hours=1))
    registry.put_product(product)
    moved = Device("meter.meter-00000", zone="elsewhere")
    registry.enrol([moved])

    products = enrol(fleet, registry, upgraded=True)

    assert products["meter"].lateness == timedelta(hours=1)
    assert registry.products()["default", "meter"] == product
    assert registry.device("meter.meter-00000") == moved


def test_product_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    registry = RegistryFiles(tmp_path)
    theirs = Product("meter", versions=(SchemaVersion(1, {"gas": Metric("gas", "double")}),))
    registry.put_product(theirs)

    with pytest.raises(HeadwaterError, match="another schema"):
        enrol(build_fleet(CLEAN, 10, 1), registry, upgraded=True)

    assert registry.products()["default", "meter"] == theirs


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "fleet"),
        ({"fleet": {"meter": 1}, "faults": {"gremlins": 0.1}}, "no fault gremlins"),
        ({"fleet": {"meter": 1}, "faults": {"late": 0.9, "duplicate": 0.2}}, "sum to 1"),
    ],
)
def test_scenario_that_cannot_be_is_told(data: dict[str, object], said: str) -> None:
    with pytest.raises(HeadwaterError, match=said):
        scenario_from_dict("mine", data)


def test_unknown_scenario_is_told() -> None:
    with pytest.raises(HeadwaterError, match="simulate list"):
        load_scenario("apocalypse")
