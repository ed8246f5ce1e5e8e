"""What landing follows of the registry is what one who reads it anew finds."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.lake import Lake
from spark_jobs.transforms.device_history import History, changed, grown, history_of
from telemetry.devices import FIRST_VALID_FROM, Device
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
)
lists = st.lists(devices, max_size=4)
NAMED = Device("meter.d1", tenant="other")
MOVED = replace(NAMED, zone="a")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def dated(said: Iterable[Device], begins: datetime) -> list[Device]:
    """Return what the registry projects at once: it holds from one moment on."""
    return [replace(device, valid_from=begins) for device in said]


def created(root: Path) -> Lake:
    lake = Lake(str(root / "lake"))
    for table in TABLES:
        lake.create(table)
    return lake


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(lists, lists, st.booleans()), min_size=1, max_size=4))
# The registry's clock goes back between the second and the third turn.
@example([([], [], False), ([NAMED], [], False), ([MOVED], [], False), ([], [], True)])
@example([([NAMED], [], False), ([NAMED], [], True), ([MOVED], [], False), ([NAMED], [], True)])
def test_history_grows_as_if_it_were_read_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[Device], list[Device], bool]]
) -> None:
    root = tmp_path_factory.mktemp("registry")
    lake, files = created(root), RegistryFiles(root / "registry")
    live = LiveRegistry(RegistryFiles(root / "registry"), lake)
    expected: History = {}
    for turn, (projected, enrolled, is_restarted) in enumerate(steps):
        files.project(dated(projected, at(40 * turn + turn % 2 * 60)))
        files.enrol(enrolled)
        if is_restarted:
            live = LiveRegistry(RegistryFiles(root / "registry"), lake)
        now = at(40 * turn)
        live.refresh(now)
        there = RegistryFiles(root / "registry").devices()
        expected = grown(expected, changed(expected, there, now))
        rows = lake.scan(DEVICES).sort("valid_from").collect()
        assert {**history_of(rows.iter_rows(named=True))} == expected
        starts = rows.sort("tenant", "device_full", "valid_from").rows(named=True)
        for one, following in pairwise(starts):
            is_same = one["device_full"] == following["device_full"]
            is_same = is_same and one["tenant"] == following["tenant"]
            assert one["valid_to"] == (following["valid_from"] if is_same else None)
        for (tenant, name), versions in expected.items():
            assert list(live.fleet.versions(tenant, name)) == [*versions]


def history(lake: Lake) -> list[dict[str, object]]:
    return lake.scan(DEVICES).sort("tenant", "device_full", "valid_from").collect().to_dicts()


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(lists, st.sampled_from(["", "look", "restart"])), max_size=6))
def test_history_is_the_same_however_seldom_it_is_looked_at(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[Device], str]]
) -> None:
    root = tmp_path_factory.mktemp("registry")
    often, seldom = created(root / "often"), created(root / "seldom")
    writer = RegistryFiles(root)
    steady, other = (LiveRegistry(RegistryFiles(root), lake) for lake in (often, seldom))
    for turn, (said, look) in enumerate([*steps, ([], "look")]):
        writer.project(dated(said, at(40 * turn + 60)))
        steady.refresh(at(40 * turn))
        if look == "restart":
            other = LiveRegistry(RegistryFiles(root), seldom)
        if look:
            other.refresh(at(40 * turn))
    assert history(seldom) == history(often)


@pytest.mark.parametrize("is_known", [True, False])
def test_moves_while_nobody_looked_hold_from_when_they_were_made(
    tmp_path: Path, is_known: bool
) -> None:
    files, lake = RegistryFiles(tmp_path / "registry"), created(tmp_path)
    files.project([Device("m1", zone="a", valid_from=NOW)])
    if is_known:
        LiveRegistry(RegistryFiles(tmp_path / "registry"), lake).refresh(NOW)
    for seconds, zone in ((60, "b"), (1800, "x"), (1800, "c")):
        files.project([Device("m1", zone=zone, valid_from=at(seconds))])

    live = LiveRegistry(RegistryFiles(tmp_path / "registry"), lake)
    live.refresh(at(3600))

    versions = live.fleet.versions("default", "m1")
    assert [(each.zone, each.valid_from) for each in versions] == [
        ("a", FIRST_VALID_FROM), ("b", at(60)), ("c", at(1800)),
    ]  # fmt: skip


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


def test_wrong_file_of_peoples_own_holds_up_no_other_device(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    RegistryFiles(root).enrol([Device("meter.d1")])
    (root / "devices" / "mine.ndjson").write_text('{"device": "a b"}\n{"device": "c"}\n')
    live = LiveRegistry(RegistryFiles(root, leaves_wrong=True), created(tmp_path))
    live.refresh(NOW)

    assert live.fleet.device_at("default", "meter.d1", 0) is not None
    assert live.error is not None
    assert "mine.ndjson, line 1" in live.error


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
