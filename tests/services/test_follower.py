"""The follower: files taken up and dropped, sinks told in order, whatever fails between."""

from datetime import timedelta
from pathlib import Path

import orjson

from edge.registry_files import ENROLLED, PROJECTED, RegistryFiles
from telemetry.changes import DeviceBody, ProductBody
from telemetry.devices import Device
from telemetry.products import history_product, product_to_dict
from tests.services.registry_parts import NOW, TestedRegistry


def files(registry: TestedRegistry) -> RegistryFiles:
    return RegistryFiles(registry.home / "registry")


def devices_dir(registry: TestedRegistry) -> Path:
    return registry.home / "registry" / "devices"


def zones(registry: TestedRegistry) -> dict[str, str | None]:
    """Return what the files say, and see that the database says the same."""
    said = {device.device_full: device.zone for device in files(registry).devices()}
    listed = registry.ask("GET", "/v1/devices").json()["devices"]
    assert said == {one["device_full"]: one["zone"] for one in listed}
    return said


def test_what_others_enrol_is_taken_up_and_dropped(registry: TestedRegistry) -> None:
    files(registry).put_product(history_product("meter"))
    files(registry).enrol([Device("meter.m1", zone="north"), Device("meter.m2")])
    registry.follower.follow()
    assert zones(registry) == {"meter.m1": "north", "meter.m2": None}
    assert not (devices_dir(registry) / ENROLLED).exists()
    product = registry.topic.held()[b"product/default/meter"].body
    assert isinstance(product, ProductBody)
    assert registry.ask("GET", "/v1/audit?kind=product").json()[0]["actor"] == "files"


def test_later_word_wins_whoever_says_it(registry: TestedRegistry) -> None:
    registry.done("PUT", "/v1/devices/m1", {"zone": "north"})
    registry.follower.follow()
    files(registry).enrol([Device("m1", zone="south")])
    registry.follower.follow()
    assert zones(registry) == {"m1": "south"}
    registry.done("PUT", "/v1/devices/m1", {"zone": "east"})
    registry.follower.follow()
    assert zones(registry) == {"m1": "east"}


def test_peoples_own_files_enrol_what_nobody_knows(registry: TestedRegistry) -> None:
    registry.done("PUT", "/v1/devices/m1", {"zone": "north"})
    registry.follower.follow()
    own = devices_dir(registry) / "mine.ndjson"
    own.write_bytes(b'{"device": "m1", "zone": "south"}\n{"device": "m2", "zone": "west"}\n')
    registry.follower.follow()
    assert zones(registry) == {"m1": "north", "m2": "west"}


def test_own_word_is_not_taken_up_again(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    registry.follower.follow()
    edition = registry.edition()
    for _ in range(3):
        registry.follower.follow()
    assert registry.edition() == edition


def test_product_in_somebodys_own_words_stays_as_it_is_written(registry: TestedRegistry) -> None:
    path = registry.home / "registry" / "products" / "acme" / "pump.json"
    path.parent.mkdir(parents=True)
    text = b'{"product":"pump","tenant":"acme","lateness":"5 s"}'
    path.write_bytes(text)
    registry.follower.follow()
    found = registry.done("GET", "/v1/products/pump?tenant=acme")
    assert found["declaration"] == {
        **product_to_dict(history_product("pump", tenant="acme")),
        **{"lateness": "5 s", "max_age": "7 d", "retention": "default", "dedup_horizon": "1 d"},
    }
    assert path.read_bytes() == text
    registry.done("PUT", "/v1/products/pump?tenant=acme", {"lateness": "30 s"})
    registry.follower.follow()
    assert orjson.loads(path.read_bytes())["lateness"] == "30 s"


def test_bad_file_holds_up_nothing_else(registry: TestedRegistry) -> None:
    folder = registry.home / "registry" / "products" / "default"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text('{"product": "b"}')
    registry.done("PUT", "/v1/devices/m1", {})
    registry.follower.follow()
    assert registry.ask("GET", "/v1/products/b").status_code == 200
    assert b"device/default/m1" in registry.topic.held()
    (folder / "a.json").write_text('{"product": "a"}')
    registry.follower.follow()
    assert registry.ask("GET", "/v1/products/a").status_code == 200


def test_bad_files_hold_up_no_device_that_others_enrol(registry: TestedRegistry) -> None:
    folder = registry.home / "registry" / "products" / "default"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{")
    files(registry).enrol([Device("m1", zone="north")])
    (devices_dir(registry) / "mine.ndjson").write_text("rubbish\n")
    (devices_dir(registry) / "other.ndjson").write_text('{"device": "m2", "zone": "west"}\n')
    registry.follower.follow()
    found = registry.ask("GET", "/v1/devices").json()["devices"]
    named = [(one["device_full"], one["zone"]) for one in found]
    assert named == [("m1", "north"), ("m2", "west")]
    assert b"device/default/m1" in registry.topic.held()


def test_product_is_put_in_the_place_of_a_file_that_cannot_be_read(
    registry: TestedRegistry,
) -> None:
    path = registry.home / "registry" / "products" / "default" / "meter.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    registry.meter("meter.m1")
    registry.follower.follow()
    assert orjson.loads(path.read_bytes())["product"] == "meter"
    assert zones(registry) == {"meter.m1": None}


def test_sink_that_was_away_hears_everything_in_order(registry: TestedRegistry) -> None:
    registry.done("PUT", "/v1/devices/m1", {})
    registry.topic.is_away = True
    registry.follower.follow()
    registry.done("PUT", "/v1/devices/m2", {})
    registry.follower.follow()
    assert zones(registry) == {"m1": None, "m2": None}
    registry.topic.is_away = False
    registry.follower.follow()
    editions = [change.edition for change in registry.topic.changes()]
    assert editions[-registry.edition() :] == list(range(1, registry.edition() + 1))


def test_older_copy_of_the_database_counts_on_from_what_was_told(
    registry: TestedRegistry, tmp_path: Path
) -> None:
    """Else a gateway would take what is revoked now for something older than what it knows."""
    registry.done("PUT", "/v1/devices/m1", {})
    for zone in ("north", "south", "east"):
        registry.done("PATCH", "/v1/devices/m1", {"zone": zone})
    registry.follower.follow()
    told = registry.topic.changes()[-1].edition
    older = TestedRegistry(tmp_path / "older", f"sqlite:///{tmp_path / 'older.db'}")
    older.topic = registry.topic
    older.started_again()

    older.follower.follow()
    older.done("PUT", "/v1/devices/m1", {})
    older.done("POST", "/v1/devices/m1/revoke")
    older.follower.follow()

    newest = older.topic.held()[b"device/default/m1"]
    assert newest.edition > told
    assert isinstance(newest.body, DeviceBody)
    assert newest.body.is_disabled
    older.close()


def test_files_that_were_lost_are_written_again(registry: TestedRegistry) -> None:
    registry.done("PUT", "/v1/devices/m1", {"zone": "north"})
    registry.follower.follow()
    (devices_dir(registry) / PROJECTED).unlink()
    registry.started_again()
    registry.follower.follow()
    assert zones(registry) == {"m1": "north"}


def test_line_says_of_a_device_from_when_it_was_so_whenever_it_is_written(
    registry: TestedRegistry,
) -> None:
    registry.done("PUT", "/v1/devices/m1", {"zone": "north"})
    registry.clock.turn(timedelta(hours=1))
    registry.done("PUT", "/v1/devices/m1", {"zone": "south"})
    for _ in range(2):
        registry.clock.turn(timedelta(days=1))
        registry.follower.follow()
        path = devices_dir(registry) / PROJECTED
        said = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        assert [(one["zone"], one["valid_from"]) for one in said] == [
            ("north", (NOW + timedelta(minutes=1)).isoformat()),
            ("south", (NOW + timedelta(hours=1, minutes=1)).isoformat()),
        ]
        path.unlink()
        registry.started_again()


def test_killed_between_taking_up_and_dropping_nothing_is_taken_twice(
    registry: TestedRegistry,
) -> None:
    files(registry).enrol([Device("m1", zone="north")])
    assert registry.files.take_up() == 1
    registry.done("PUT", "/v1/devices/m1", {"zone": "south"})
    registry.started_again()
    registry.follower.follow()
    assert zones(registry) == {"m1": "south"}
    files(registry).enrol([Device("m2")])
    registry.follower.follow()
    assert zones(registry) == {"m1": "south", "m2": None}
