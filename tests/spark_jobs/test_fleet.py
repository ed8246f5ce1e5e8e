"""A fleet in columns says what the registry says of each device."""

import time
from copy import copy
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.transforms.fleet import NOBODY, Fleet, versions_table
from telemetry.devices import FIRST_VALID_FROM, Device
from telemetry.products import DEFAULT_PRODUCT
from telemetry.registry import Registry

TENANTS, NAMES = ("default", "b"), ("p.a", "p.b", "q", "\u00fc")
AT = 1_700_000_000
starts = (
    st.none()
    | st.just(FIRST_VALID_FROM)
    | st.integers(0, 3).map(lambda second: datetime.fromtimestamp(AT + second, UTC))
)
versions = st.builds(
    Device,
    st.sampled_from(NAMES),
    tenant=st.sampled_from(TENANTS),
    zone=st.none() | st.sampled_from("yz"),
    customer=st.none() | st.sampled_from("cd"),
    lat=st.none() | st.floats(-90, 90),
    lng=st.none() | st.floats(-180, 180),
    firmware=st.none() | st.just("1"),
    valid_from=starts,
)
fleets = st.lists(
    versions, max_size=12, unique_by=lambda each: (each.tenant, each.device_full, _start(each))
)


def _start(device: Device) -> datetime:
    return max(device.valid_from or FIRST_VALID_FROM, FIRST_VALID_FROM)


def alike(tenants: pa.Array, names: pa.Array) -> np.ndarray:
    """Hash every device alike."""
    assert len(tenants) == len(names)
    return np.zeros(len(names), dtype=np.uint64)


@pytest.mark.parametrize("hashes", [None, alike])
@given(fleets)
def test_it_says_what_the_registry_says(hashes: None, devices: list[Device]) -> None:
    registry = Registry((), devices)
    there = Fleet((), versions_table(devices), hashes=hashes)
    fleet = copy(there)
    for tenant in (*TENANTS, "c"):
        for name in (*NAMES, "r"):
            expected = [_shown(each) for each in registry.versions(tenant, name)]
            assert [_shown(each) for each in fleet.versions(tenant, name)] == expected
            for second in (-(10**6), *range(5)):
                moment = (AT + second) * 1_000_000
                held = registry.device_at(tenant, name, moment)
                assert _shown(fleet.device_at(tenant, name, moment)) == _shown(held)


def _shown(device: Device | None) -> tuple[object, ...] | None:
    if device is None:
        return None
    place = (device.zone, device.customer, device.lat, device.lng, device.firmware)
    return (device.tenant, device.device_full, *place, _start(device))


def test_some_are_taken_out_with_one_look() -> None:
    looks: list[int] = []

    def counting(tenants: pa.Array, names: pa.Array) -> np.ndarray:
        looks.append(len(names))
        return alike(tenants, names)

    devices = [Device(f"p.{number}") for number in range(20)]
    fleet = Fleet((), versions_table(devices), {("t", "p"): {"m": "bool"}}, counting)
    keys = [("default", device.device_full) for device in devices[:10]]

    some = fleet.among([*keys, ("default", "p.nobody")])

    assert [some.device_at(*key, 0) for key in keys] == devices[:10]
    assert some.device_at("default", "p.15", 0) is None
    assert some.first_use == fleet.first_use
    assert looks == [20, 11], "those that there are, then those that are asked for"


def test_the_same_ones_are_looked_up_once_and_others_are_not_taken_for_them() -> None:
    fleet = Fleet.of((), [Device(name) for name in NAMES])
    first, others = [("default", "p.a"), ("default", "q")], [("default", "p.b")]

    assert fleet.among(first) is fleet.among(reversed(first))
    assert not fleet.among(others).versions("default", "p.a")
    assert fleet.among(first).versions("default", "p.a")
    assert copy(fleet).among(others).versions("default", "p.b")


def test_many_are_found_at_once_as_they_were() -> None:
    moved = [
        Device("p.a", zone=zone, valid_from=datetime.fromtimestamp(AT + at, UTC) if at else None)
        for at, zone in enumerate("xyz")
    ]
    fleet = Fleet.of([DEFAULT_PRODUCT], [Device("p.b", zone="b"), *moved[::-1]])
    names = pa.array(["p.b", "p.a", "p.a", "nobody", "p.a"])
    first = fleet.find(pa.array(["default"] * 5), names)
    assert first.tolist() == [3, 0, 0, NOBODY, 0]
    known = first[first != NOBODY]
    seconds = np.array([9, 0, 1, 9])
    rows = fleet.at(known, (AT + seconds) * 1_000_000)
    assert fleet.said("zone", rows).to_pylist() == ["b", "x", "y", "z"]


def test_a_type_more_does_not_look_at_every_device_again() -> None:
    asked: list[int] = []

    def counted(tenants: pa.Array, names: pa.Array) -> np.ndarray:
        asked.append(len(names))
        return np.array([hash(name) & 2**63 - 1 for name in names.to_pylist()], dtype=np.uint64)

    devices = [Device(f"p.{number}", zone=f"zone {number}") for number in range(50)]
    fleet = Fleet((), versions_table(devices), hashes=counted)
    assert fleet.device_at("default", "p.7", 0) == devices[7]

    typed = fleet.beside([DEFAULT_PRODUCT], {("default", "default"): {"a": "double"}})

    assert typed.device_at("default", "p.9", 0) == devices[9]
    assert typed.first_use == {("default", "default"): {"a": "double"}}
    assert typed.product("default", "default") == DEFAULT_PRODUCT
    assert asked.count(len(devices)) == 1


def test_a_device_that_changed_very_often_costs_no_more_than_others() -> None:
    changes = 30_000
    firsts = FIRST_VALID_FROM, *(datetime.fromtimestamp(AT + n, UTC) for n in range(1, changes))
    devices = [Device("p.moves", zone=f"{n}", valid_from=at) for n, at in enumerate(firsts)]
    fleet = Fleet((), versions_table([Device("p.a"), *devices, Device("p.z")]))
    first = fleet.find(pa.array(["default"]), pa.array(["p.moves"]))
    rows = np.repeat(first, 6)
    times = (AT + np.array([-(10**9), 1, 2, 15_000, changes - 1, 10**9])) * 1_000_000
    fleet.at(rows, times)

    began = time.process_time()
    for _ in range(20):
        found = fleet.at(rows, times)

    # One version after the other it took a quarter of a second each time.
    assert time.process_time() - began < 1
    zones = fleet.said("zone", found).to_pylist()
    assert zones == ["0", "1", "2", "15000", f"{changes - 1}", f"{changes - 1}"]
