"""The registry's files: idempotent, durable, safe for several writers."""

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.registry_files import ENROLLED, PROJECTED, RegistryFiles
from edge.registry_lines import lines_of
from telemetry.devices import Device
from telemetry.errors import DeviceError, HeadwaterError, ProductError
from telemetry.products import DEFAULT_PRODUCT, Metric, SchemaVersion, history_product


def names(files: RegistryFiles) -> list[str]:
    return [device.device_full for device in files.devices()]


def test_product_comes_back_equal(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    schema = SchemaVersion(1, {"kwh": Metric("kwh", "double", "kWh", sentinels=(-200.0,))})
    meter = history_product("meter", (schema,))

    assert files.put_product(meter)
    assert not files.put_product(meter)
    assert files.products() == {
        ("default", "default"): DEFAULT_PRODUCT,
        ("default", "meter"): meter,
    }


def test_bad_product_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "products" / "default" / "meter.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"product": "meter", "lateness": "soon"}')
    with pytest.raises(ProductError, match=r"meter.json: .*'soon' is not a duration"):
        RegistryFiles(tmp_path).products()


def test_product_with_a_path_for_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="is not a name"):
        RegistryFiles(tmp_path).put_product(history_product("../meter"))


def test_registry_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = RegistryFiles(tmp_path / "file")
    with pytest.raises(HeadwaterError, match="registry cannot be written"):
        files.put_product(history_product("meter"))
    with pytest.raises(HeadwaterError, match="registry cannot be written"):
        files.enrol([Device("meter.d1")])


def test_later_line_of_a_device_wins(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    files.enrol([Device("meter.d1"), Device("meter.d2")])
    files.enrol([Device("meter.d1", zone="north")])

    assert list(files.devices()) == [Device("meter.d1", zone="north"), Device("meter.d2")]
    assert files.device("meter.d1") == Device("meter.d1", zone="north")
    assert files.device("meter.d3") is None


def test_unchanged_device_is_not_written_again(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    devices = [Device(f"meter.d{number}") for number in range(100)]
    assert files.enrol(devices) == 100
    before = files.fingerprint()

    assert files.enrol(devices) == 0
    assert RegistryFiles(tmp_path).enrol(devices) == 0
    assert files.fingerprint() == before


def test_known_device_is_kept_where_that_is_asked(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    files.enrol([Device("meter.d1", zone="north")])
    assert files.enrol([Device("meter.d1"), Device("meter.d2")], keep_known=True) == 1
    assert files.device("meter.d1") == Device("meter.d1", zone="north")


def test_fingerprint_changes_with_each_change(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    seen = {files.fingerprint()}
    files.put_product(history_product("meter"))
    seen.add(files.fingerprint())
    files.enrol([Device("meter.d1")])
    seen.add(files.fingerprint())
    files.enrol([Device("meter.d2")])
    seen.add(files.fingerprint())
    assert len(seen) == 4


def test_people_may_add_files_and_what_is_enrolled_wins(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "z.ndjson").write_text(
        '{"device": "meter.d1", "zone": "south"}\n\n{"product": "meter", "device": "d2"}'
    )
    assert names(files) == ["meter.d1", "meter.d2"]
    files.enrol([Device("meter.d1", zone="north")])
    assert files.device("meter.d1") == Device("meter.d1", zone="north")


def test_line_that_a_killed_writer_left_is_cut_off(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    files.enrol([Device("meter.d1")])
    path = tmp_path / "devices" / ENROLLED
    path.write_bytes(path.read_bytes() + b'{"device_full":"meter.d2","ten')

    assert names(files) == ["meter.d1"]
    assert files.enrol([Device("meter.d2")]) == 1
    assert names(RegistryFiles(tmp_path)) == ["meter.d1", "meter.d2"]


def test_last_line_without_its_newline_is_kept(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    files.enrol([Device("meter.d1")])
    path = tmp_path / "devices" / ENROLLED
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    files.enrol([Device("meter.d2")])
    assert names(RegistryFiles(tmp_path)) == ["meter.d1", "meter.d2"]


@pytest.mark.parametrize("end", ["\n", ""])
def test_bad_device_line_is_named(tmp_path: Path, end: str) -> None:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "mine.ndjson").write_text(
        f'{{"device": "a"}}\n{{"device": "a b"}}{end}'
    )
    with pytest.raises(DeviceError, match=r"mine.ndjson, line 2: 'a b' is not a device name"):
        list(RegistryFiles(tmp_path).devices())


def test_wrong_file_of_peoples_own_is_left_as_it_was_where_that_is_asked(tmp_path: Path) -> None:
    mine = tmp_path / "devices" / "mine.ndjson"
    mine.parent.mkdir()
    mine.write_text('{"device": "a"}\n')
    files, writer = (RegistryFiles(tmp_path, leaves_wrong=True) for _ in range(2))
    assert names(files) == ["a"]

    mine.write_text('{"device": "c"}\n{"device": "a b"}\n{"device": "d"}\n')
    writer.enrol([Device("b")])
    assert names(files) == ["a", "b"]
    assert "mine.ndjson, line 2" in (files.wrong or "")
    assert names(RegistryFiles(tmp_path, leaves_wrong=True)) == ["b"]

    mine.write_text('{"device": "c"}\n')
    assert sorted(names(files)) == ["b", "c"]
    assert files.wrong is None


def test_writers_at_once_lose_no_device(tmp_path: Path) -> None:
    def enrol(writer: int) -> None:
        files = RegistryFiles(tmp_path)
        for number in range(20):
            files.enrol([Device(f"meter.w{writer}-{number}"), Device("meter.shared")])

    threads = [threading.Thread(target=enrol, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = names(RegistryFiles(tmp_path))
    assert len(found) == len(set(found)) == 81


zones = st.none() | st.sampled_from("ab")
devices = st.builds(
    Device,
    st.sampled_from(["meter.d1", "meter.d2", "plain"]),
    zone=st.none() | st.sampled_from("ab"),
)
STEPS = ("enrol", "project", "compact", "take up", "edit", "remove", "break", "look")
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.lists(devices, max_size=3)), max_size=12)


def step(root: Path, name: str, some: list[Device]) -> None:
    """Do what another process does to the files."""
    files, own = RegistryFiles(root), root / "devices" / "own.ndjson"
    if name == "enrol":
        files.enrol(some)
    elif name == "project":
        files.project(some)
    elif name == "compact":
        files.compact()
    elif name == "take up":
        files.drop_enrolled(files.enrolled()[1])
    elif name == "edit":
        own.parent.mkdir(exist_ok=True)
        own.write_bytes(lines_of(some))
    elif name == "remove":
        own.unlink(missing_ok=True)
    elif name == "break" and (root / "devices" / ENROLLED).exists():
        with (root / "devices" / ENROLLED).open("ab") as file:
            file.write(b'{"device": "meter.d1", "zo')


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_one_who_follows_sees_what_one_who_starts_sees(
    tmp_path_factory: pytest.TempPathFactory, given_steps: list[tuple[str, list[Device]]]
) -> None:
    root = tmp_path_factory.mktemp("registry")
    follower, heard = RegistryFiles(root), dict[str, Device]()
    for name, some in given_steps:
        step(root, name, some)
        if name != "look":
            continue
        there = {device.device_full: device for device in RegistryFiles(root).devices()}
        heard |= {device.device_full: device for device in follower.news()}
        assert {device.device_full: device for device in follower.devices()} == there
        assert {name: device for name, device in heard.items() if name in there} == there


def test_only_what_came_is_read_again(tmp_path: Path) -> None:
    writer, follower = RegistryFiles(tmp_path), RegistryFiles(tmp_path)
    writer.project([Device(f"meter.d{number}") for number in range(100)])
    assert len(follower.news()) == 100
    assert follower.news() == []
    writer.project([Device("meter.d7", zone="a"), Device("meter.d8")])
    assert follower.news() == [Device("meter.d7", zone="a")]
    path = tmp_path / "devices" / PROJECTED
    with path.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(DeviceError, match="line 103"):
        follower.news()


def test_a_file_in_the_place_of_another_is_read_from_its_start(tmp_path: Path) -> None:
    follower, path = RegistryFiles(tmp_path), tmp_path / "devices" / PROJECTED
    path.parent.mkdir()
    path.write_bytes(lines_of([Device("meter.d1"), Device("meter.d2")]))
    assert len(follower.news()) == 2
    path.write_bytes(lines_of(Device(f"meter.e{number}", zone="a") for number in range(9)))
    assert {device.device_full for device in follower.news()} == {f"meter.e{n}" for n in range(9)}
    assert follower.device("meter.d1") is None
