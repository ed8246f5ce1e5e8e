"""Records of the topic `commands`: what becomes a message for a device, and what breaks nothing."""

import time

import pytest

from edge.mqtt.wire import V5
from gateway.commands import downlink_of
from gateway.downlink import Downlink
from gateway.feeds import Record
from tests.gateway.mqtt.clients import COMMANDS, Client, broker, lasting, published

REBOOT = {"channel": b"commands/reboot"}


def record(headers: dict[str, bytes], key: bytes = b"d1", value: bytes | None = b"now") -> Record:
    return Record(key, value, REBOOT | headers)


def test_headers_say_whose_it_is_and_how_it_goes() -> None:
    given = {
        "tenant": b"acme",
        "qos": b"2",
        "expires_at": b"1764000000500000",
        "content_type": b"application/json",
        "correlation": b"\0\1",
    }

    assert downlink_of(record(given)) == Downlink(
        "acme",
        "d1",
        "commands/reboot",
        b"now",
        qos=2,
        expires_at=1764000000.5,
        content_type="application/json",
        correlation=b"\0\1",
    )


def test_what_is_left_out_has_its_default() -> None:
    assert downlink_of(record({}, value=None)) == Downlink("default", "d1", "commands/reboot", b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"channel": b""},
        {"channel": b"commands"},
        {"channel": b"commands/"},
        {"channel": b"telemetry/x"},
        {"channel": b"commands/#"},
        {"channel": b"commands/+/x"},
        {"channel": b"commands/a\0b"},
        {"channel": b"commands/\xff"},
        {"channel": b"commands/" + b"x" * 250},
        {"tenant": b"\xff"},
        {"content_type": b"\xff"},
        {"content_type": b"x" * 65_536},
        {"correlation": b"x" * 65_536},
    ],
)
def test_what_no_device_can_be_told_is_no_command(headers: dict[str, bytes]) -> None:
    assert downlink_of(record(headers)) is None


@pytest.mark.parametrize("until", [b"", b"soon", b"-1", b"9" * 18, b"9" * 5_000])
def test_time_that_is_none_is_no_end(until: bytes) -> None:
    found = downlink_of(record({"expires_at": until}))

    assert found is not None
    assert found.expires_at is None


def test_most_that_a_command_may_say_reaches_its_device() -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    client.subscribe(COMMANDS)
    most = {
        "expires_at": b"9" * 17,
        "correlation": b"x" * 65_535,
        "content_type": b"a\0" + b"x" * 65_533,
        "channel": b"commands/" + b"x" * 247,
    }
    command = downlink_of(record(most))
    assert command is not None
    assert command.expires_at is not None
    assert command.expires_at > time.time()

    assert client.broker.house.entrance.downlinks.deliver(command) == 1

    (heard,) = published(client.received())
    assert heard.topic == "devices/d1/commands/" + "x" * 247
    assert heard.properties.correlation == b"x" * 65_535
