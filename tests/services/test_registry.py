"""The registry over HTTP: products, devices, secrets, and the topic that tells of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from edge.registry_files import RegistryFiles
from telemetry.changes import ChangeKey, CredentialBody, DeviceBody, ProductBody
from telemetry.devices import Device
from telemetry.sealing import unseal
from tests.services.registry_parts import NOW, RING, Json, TestedRegistry

M1 = "/v1/devices/meter.m1"
SECRETS = f"{M1}/credentials"


def test_product_device_and_secret_reach_the_topic(either: TestedRegistry) -> None:
    either.meter()
    either.done("PUT", M1, {"zone": "north", "lat": 48.1})
    issued = either.done("POST", SECRETS, {})
    either.follower.follow()

    held = either.topic.held()
    product = held[b"product/default/meter"].body
    assert isinstance(product, ProductBody)
    assert product.product().key == "meter"
    device = held[b"device/default/meter.m1"].body
    assert device == DeviceBody(Device("meter.m1", zone="north", lat=48.1))
    key = ChangeKey("credential", "default", f"meter.m1/{issued['credential_id']}")
    credential = held[key.encoded()].body
    assert isinstance(credential, CredentialBody)
    assert credential.valid_from == NOW
    assert unseal(credential.secret, RING, key.encoded()).decode() == issued["secret"]
    assert (issued["product_key"], issued["device_name"]) == ("meter", "m1")


def test_rotation_leaves_two_secrets_for_the_overlap(either: TestedRegistry) -> None:
    either.meter("meter.m1")
    first = either.done("POST", SECRETS, {})
    either.clock.turn(timedelta(hours=1))
    second = either.done("POST", f"{SECRETS}/rotate", {})
    assert first["secret"] != second["secret"]
    assert states(either) == {first["credential_id"]: "live", second["credential_id"]: "live"}

    either.clock.turn(timedelta(days=91))
    assert states(either) == {first["credential_id"]: "expired", second["credential_id"]: "live"}


def test_rotation_during_an_overlap_revokes_the_oldest(either: TestedRegistry) -> None:
    either.meter("meter.m1")
    issued = [either.done("POST", SECRETS, {})]
    for _ in range(2):
        either.clock.turn(timedelta(hours=1))
        issued.append(either.done("POST", f"{SECRETS}/rotate", {"overlap_d": 1}))
    oldest, middle, newest = (one["credential_id"] for one in issued)
    assert states(either) == {oldest: "revoked", middle: "live", newest: "live"}
    either.follower.follow()
    held = [key for key in either.topic.held() if key.startswith(b"credential/")]
    assert len(held) == 2


def states(registry: TestedRegistry) -> dict[object, object]:
    found = registry.ask("GET", SECRETS).json()
    return {one["credential_id"]: one["state"] for one in found}


def test_third_secret_is_refused(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    for _ in range(2):
        registry.done("POST", SECRETS, {})
    assert registry.ask("POST", SECRETS, {}).status_code == 409


def test_revoked_device_is_disabled_and_holds_nothing(either: TestedRegistry) -> None:
    either.meter("meter.m1")
    either.done("POST", SECRETS, {})
    assert either.done("POST", f"{M1}/revoke")["is_disabled"] is True
    assert set(states(either).values()) == {"revoked"}
    either.follower.follow()
    held = either.topic.held()
    assert held[b"device/default/meter.m1"].body == DeviceBody(Device("meter.m1"), True)
    assert [key for key in held if key.startswith(b"credential/")] == []

    either.done("PATCH", M1, {"zone": "south"})
    assert either.done("GET", M1)["is_disabled"] is True
    assert either.done("POST", f"{M1}/enable")["is_disabled"] is False


def test_one_secret_is_revoked_and_the_other_stays(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    first, second = (registry.done("POST", SECRETS, {}) for _ in range(2))
    path = f"{SECRETS}/{first['credential_id']}"
    assert registry.done("DELETE", path)["state"] == "revoked"
    assert registry.ask("DELETE", path).status_code == 404
    assert states(registry)[second["credential_id"]] == "live"


def test_devices_own_secret_is_taken(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    assert registry.done("POST", SECRETS, {"secret": "s" * 32})["secret"] == "s" * 32
    assert registry.ask("POST", SECRETS, {"secret": "short"}).status_code == 422


def test_name_that_has_a_secret_in_another_tenant_gets_none(registry: TestedRegistry) -> None:
    registry.done("PUT", "/v1/tenants/acme", {})
    for tenant in ("default", "acme"):
        registry.done("PUT", f"/v1/devices/m1?tenant={tenant}", {})
    registry.done("POST", "/v1/devices/m1/credentials", {})
    answer = registry.ask("POST", "/v1/devices/m1/credentials?tenant=acme", {})
    assert answer.status_code == 409
    assert "another tenant" in answer.json()["detail"]


def test_patch_changes_what_is_given_and_put_says_all(registry: TestedRegistry) -> None:
    registry.meter()
    registry.done("PUT", M1, {"zone": "north", "firmware": "1.0"})
    changed = registry.done("PATCH", M1, {"firmware": "1.1"})
    assert (changed["zone"], changed["firmware"]) == ("north", "1.1")
    assert registry.done("PUT", M1, {"zone": "south"})["firmware"] is None
    edition = registry.done("GET", M1)["edition"]
    assert registry.done("PUT", M1, {"zone": "south"})["edition"] == edition


def test_patches_at_once_keep_what_each_has_changed(either: TestedRegistry) -> None:
    either.done("PUT", "/v1/devices/m1", {"zone": "0", "firmware": "0"})

    def patched(field: str) -> list[Json]:
        numbers = range(1, 41)
        return [either.done("PATCH", "/v1/devices/m1", {field: str(one)}) for one in numbers]

    with ThreadPoolExecutor(2) as pool:
        answers = [one for told in pool.map(patched, ("zone", "firmware")) for one in told]
    said = {one["edition"]: (one["zone"], one["firmware"]) for one in answers}
    numbers = [(int(str(zone)), int(str(firmware))) for _, (zone, firmware) in sorted(said.items())]
    for field in (0, 1):
        told = [each[field] for each in numbers]
        assert told == sorted(told)
    assert numbers[-1] == (40, 40)


def test_consumer_class_is_said_to_be_outside_the_promise(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    assert registry.done("GET", M1)["is_promised_durable"] is True
    assert registry.done("PATCH", M1, {"durability": "consumer"})["is_promised_durable"] is False
    assert registry.done("GET", "/health")["consumer_devices"] == 1


def test_devices_are_listed_by_what_is_known_of_them_page_by_page(either: TestedRegistry) -> None:
    either.meter(*(f"meter.m{number}" for number in range(5)))
    either.done("PUT", "/v1/devices/meter.m3", {"zone": "north"})
    first = either.done("GET", "/v1/devices?limit=3&product=meter")
    assert first["next"] == "meter.m2"
    last = either.done("GET", f"/v1/devices?limit=3&product=meter&after={first['next']}")
    assert [names(first), names(last)] == [["meter.m0", "meter.m1", "meter.m2"],
                                           ["meter.m3", "meter.m4"]]  # fmt: skip
    assert last["next"] is None
    assert names(either.done("GET", "/v1/devices?zone=north")) == ["meter.m3"]


def names(page: dict[str, object]) -> list[str]:
    devices = page["devices"]
    assert isinstance(devices, list)
    return [device["device_full"] for device in devices]


def test_new_version_must_be_compatible(either: TestedRegistry) -> None:
    either.meter()
    old = {"version": 1, "metrics": {"kwh": {"type": "double", "unit": "kWh"}}}
    wrong = {"version": 2, "metrics": {"kwh": {"type": "double", "unit": "Wh"}}}
    more = {"version": 2, "metrics": {**old["metrics"], "v": {"unit": "V"}}}  # type: ignore[dict-item]

    answer = either.ask("PUT", "/v1/products/meter", {"versions": [old, wrong]})
    assert answer.status_code == 409
    assert "unit was kWh and cannot become Wh" in answer.json()["detail"]
    checked = either.done("POST", "/v1/products/meter/check", {"versions": [old, wrong]})
    assert checked["is_compatible"] is False
    assert either.ask("PUT", "/v1/products/meter", {"versions": [more]}).status_code == 409
    assert either.done("PUT", "/v1/products/meter", {"versions": [old, more]})["product"] == "meter"
    full = {"versions": [old, more, {**more, "version": 3, "metrics": {"v": {"unit": "V"}}}]}
    assert either.ask("PUT", "/v1/products/meter", full).status_code == 409
    forward = {**full, "compatibility": "FORWARD"}
    assert either.done("PUT", "/v1/products/meter", forward)["tenant"] == "default"


@pytest.mark.parametrize(
    ("request_line", "body", "status", "detail"),
    [
        ("GET /v1/devices/m1", None, 404, "there is no device 'm1'"),
        ("PUT /v1/devices/pump.p1", {}, 404, "there is no product 'pump'"),
        ("PUT /v1/devices/m1?tenant=nope", {}, 404, "there is no tenant 'nope'"),
        ("PUT /v1/devices/m1", {"lat": 91}, 422, "body.lat"),
        ("PUT /v1/devices/m1", {"zon": "x"}, 422, "body.zon"),
        ("PUT /v1/devices/m1", {"zone": "a\x00b"}, 422, "body.zone"),
        ("PUT /v1/devices/m1", b"{", 422, "JSON"),
        ("PUT /v1/devices/a%20b", {}, 422, "path.device_full"),
        ("PUT /v1/products/p", {"lateness": "soon"}, 422, "'soon' is not a duration"),
        ("POST /v1/devices", {}, 405, "Method Not Allowed"),
        ("GET /v2/devices", None, 404, "Not Found"),
    ],
)
def test_what_cannot_be_done_is_a_problem(
    registry: TestedRegistry, request_line: str, body: object, status: int, detail: str
) -> None:
    method, path = request_line.split()
    answer = registry.ask(method, path, body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert detail in problem["detail"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/devices", "GET"),
        ("/v1/devices/m1", "GET, PATCH, PUT"),
        ("/v1/devices/m1/credentials", "GET, POST"),
        ("/v1/devices/m1/credentials/rotate", "DELETE, POST"),
        ("/v1/authorities/a", "DELETE, PUT"),
        ("/health", "GET"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_method_that_is_not_taken_is_told_which_ones_are(
    registry: TestedRegistry, path: str, allowed: str
) -> None:
    answer = registry.ask("OPTIONS", path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_devices_and_products_reach_the_files_of_the_home(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    registry.done("PATCH", M1, {"zone": "north"})
    registry.follower.follow()
    files = RegistryFiles(registry.home / "registry")
    assert ("default", "meter") in files.products()
    (device,) = files.devices()
    settled = NOW + timedelta(seconds=60)
    assert device == Device("meter.m1", zone="north", valid_from=settled)
