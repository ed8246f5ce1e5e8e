"""The registry over HTTP: products, devices, credentials, and the topic that tells of them."""

from telemetry.changes import ChangeKey, CredentialBody, DeviceBody, ProductBody
from telemetry.devices import Device
from telemetry.sealing import unseal
from tests.services.registry_parts import NOW, RING, TestedRegistry


def test_product_device_and_secret_reach_the_topic(registry: TestedRegistry) -> None:
    registry.meter()
    registry.done("PUT", "/v1/devices/meter.m1", {"zone": "north", "lat": 48.1})
    issued = registry.done("POST", "/v1/devices/meter.m1/credentials", {})
    registry.follower.follow()

    held = registry.topic.held()
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


def test_devices_reach_the_files_of_the_home(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    registry.follower.follow()
    assert [device.device_full for device in registry.files._files.devices()] == ["meter.m1"]
