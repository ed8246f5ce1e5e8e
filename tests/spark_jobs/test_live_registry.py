"""What landing follows of the registry is what one who reads it anew finds."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.lake import Lake
from spark_jobs.transforms.device_history import History, changed, grown, history_of
from telemetry.devices import Device
from telemetry.products import Product
from telemetry.tables import DEVICES, FIRST_USE, LATE, READINGS

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
TABLES = (DEVICES, FIRST_USE, READINGS, LATE)
devices = st.builds(
    Device,
    st.sampled_from(["meter.d1", "meter.d2", "plain"]),
    tenant=st.sampled_from(["default", "other"]),
    zone=st.none() | st.sampled_from("ab"),
    lat=st.none() | st.floats(-90, 90),
    valid_from=st.none() | st.integers(0, 300).map(lambda s: NOW + timedelta(seconds=s)),
)
lists = st.lists(devices, max_size=4)


def created(root: Path) -> Lake:
    lake = Lake(str(root / "lake"))
    for table in TABLES:
        lake.create(table)
    return lake


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(lists, lists, st.booleans()), min_size=1, max_size=4))
def test_history_grows_as_if_it_were_read_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[Device], list[Device], bool]]
) -> None:
    root = tmp_path_factory.mktemp("registry")
    lake, files = created(root), RegistryFiles(root / "registry")
    live = LiveRegistry(RegistryFiles(root / "registry"), lake)
    expected: History = {}
    for turn, (projected, enrolled, is_restarted) in enumerate(steps):
        files.project(projected)
        files.enrol(enrolled)
        if is_restarted:
            live = LiveRegistry(RegistryFiles(root / "registry"), lake)
        at = NOW + timedelta(seconds=40 * turn)
        live.refresh(at)
        there = RegistryFiles(root / "registry").devices()
        expected = grown(expected, changed(expected, there, at))
        rows = lake.scan(DEVICES).sort("valid_from").collect()
        assert {**history_of(rows.iter_rows(named=True))} == expected
        starts = rows.sort("tenant", "device_full", "valid_from").rows(named=True)
        for one, following in pairwise(starts):
            is_same = one["device_full"] == following["device_full"]
            is_same = is_same and one["tenant"] == following["tenant"]
            assert one["valid_to"] == (following["valid_from"] if is_same else None)
        for (tenant, name), versions in expected.items():
            assert list(live.fleet.versions(tenant, name)) == [*versions]


def test_only_a_change_is_a_new_edition(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path / "registry")
    live = LiveRegistry(RegistryFiles(tmp_path / "registry"), created(tmp_path))
    live.refresh(NOW)
    edition = live.edition
    live.refresh(NOW)
    assert live.edition == edition
    files.enrol([Device("meter.d1")])
    live.refresh(NOW)
    assert live.edition == edition + 1
    assert live.fleet.device_at("default", "meter.d1", 0) is not None


def test_longest_horizon_is_that_of_the_products_of_now(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path / "registry")
    live = LiveRegistry(RegistryFiles(tmp_path / "registry"), created(tmp_path))

    def horizon() -> timedelta | None:
        live.refresh(NOW)
        longest = live.dedup_horizon_us
        return None if longest is None else timedelta(microseconds=longest)

    assert horizon() == timedelta(days=1), "`default` is there without a file"
    files.put_product(Product("short", dedup_horizon=timedelta(hours=1)))
    assert horizon() == timedelta(days=1)
    files.put_product(Product("long", dedup_horizon=timedelta(days=3)))
    assert horizon() == timedelta(days=3)
    files.put_product(Product("for-ever", retention_class="forever", dedup_horizon=None))
    assert horizon() is None
