"""Addresses of brokers, as a setting names them."""

import pytest

from telemetry.errors import SettingsError
from telemetry.mqtt_address import MqttAddress, mqtt_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", MqttAddress("broker", 1883, False)),
        ("mqtt://broker:1884/", MqttAddress("broker", 1884, False)),
        ("mqtts://[::1]", MqttAddress("::1", 8883, True)),
    ],
)
def test_address_is_read_and_written(url: str, address: MqttAddress) -> None:
    assert mqtt_address(url) == address
    assert mqtt_address(str(address)) == address


@pytest.mark.parametrize(
    "url", ["broker:1883", "http://broker", "mqtt://", "mqtt://b:port", "mqtt://b/topic", ""]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="mqtts:// for TLS"):
        mqtt_address(url)


def test_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="HEADWATER_BRIDGE_PASSWORD") as refused:
        mqtt_address("mqtt://me:hunter2@broker")
    assert "hunter2" not in str(refused.value)
