"""Devices in requests that the registry takes, however many they are."""

import orjson

from edge.device_lines import Declared
from infra.registry.http_book import imports_of
from telemetry.devices import Device


def test_devices_go_in_as_many_imports_as_their_bytes_ask_for() -> None:
    fleet = [Declared(Device(f"m{number}", zone="x" * 50), number == 7) for number in range(100)]

    parts = list(imports_of(fleet, most_bytes=1_000))

    assert len(parts) > 1
    assert max(map(len, parts)) <= 1_000
    said = [orjson.loads(line) for part in parts for line in part.splitlines()]
    assert [one["device_full"] for one in said] == [f"m{number}" for number in range(100)]
    assert [one["device_full"] for one in said if one["is_disabled"]] == ["m7"]


def test_device_that_is_larger_than_an_import_goes_alone() -> None:
    fleet = [Declared(Device(name, zone="x" * 200)) for name in ("m1", "m2")]

    assert len(list(imports_of(fleet, most_bytes=100))) == 2
    assert list(imports_of([])) == []
