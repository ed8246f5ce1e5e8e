"""Five times the allowed rate: what was acknowledged is there, what was refused says when."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.brokers import Broker
from tests.gateway.bursts import CoapSender, HttpSender, MqttSender, Sender
from tests.gateway.kills.gateways import GatewayProcess
from tests.gateway.kills.landed import TopicReader

pytestmark = pytest.mark.kafka
OF_EACH: dict[str, tuple[Callable[[str], Sender], int]] = {
    "mqtt": (MqttSender, 20),
    "http": (HttpSender, 5),
    "coap": (CoapSender, 5),
}
DEVICES = sum(number for _, number in OF_EACH.values())
PER_S = 10
TIMES = 5
BURST_S = 1.0
LIMITS = {
    "device": {"HEADWATER_GATEWAY_DEVICE_RATE": str(PER_S)},
    "tenant": {"HEADWATER_GATEWAY_TENANT_RATE": str(PER_S * DEVICES)},
    "gateway": {"HEADWATER_GATEWAY_RATE": str(PER_S * DEVICES)},
}
LONG = [
    pytest.param(
        limit, 60.0, marks=[pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(300)]
    )
    for limit in LIMITS
]


@pytest.mark.parametrize(("limit", "seconds"), [("device", 3.0), *LONG])
def test_burst_loses_nothing_and_each_refusal_says_when(
    broker: Broker, tmp_path: Path, limit: str, seconds: float
) -> None:
    bootstrap = broker.settings.kafka_bootstrap
    allowed = LIMITS[limit] | {"HEADWATER_GATEWAY_BURST_S": str(BURST_S)}
    gateway = GatewayProcess(tmp_path / "home", bootstrap, **allowed)
    reader = TopicReader(bootstrap)
    try:
        gateway.wait_until_ready()
        began = time.monotonic()
        fleet = asyncio.run(_sent(gateway, f"{limit}-{seconds:.0f}", seconds))
        took_s = time.monotonic() - began
        for protocol in OF_EACH:
            _check_answers(fleet[protocol])
        _check_rate([each for some in fleet.values() for each in some], gateway, seconds, took_s)
        reader.refresh()
        for device in (each for some in fleet.values() for each in some):
            assert reader.of(device.name) == dict.fromkeys(device.acknowledged, 1)
    finally:
        reader.close()
        gateway.close()


async def _sent(gateway: GatewayProcess, name: str, seconds: float) -> dict[str, list[Sender]]:
    fleet: dict[str, list[Sender]] = {
        protocol: [kind(f"{name}-{protocol}-{number}") for number in range(count)]
        for protocol, (kind, count) in OF_EACH.items()
    }
    running = [
        device.run(gateway.port(protocol), per_s=PER_S * TIMES, seconds=seconds)
        for protocol, devices in fleet.items()
        for device in devices
    ]
    await asyncio.gather(*running)
    return fleet


def _check_answers(devices: list[Sender]) -> None:
    """Each message has one answer; refusals say when to try again."""
    for device in devices:
        retries = device.retries()
        assert len(device.sent) == len(device.acknowledged) + len(retries)
        assert retries
        assert [told for told in retries if not told] == []


def _check_rate(
    devices: list[Sender], gateway: GatewayProcess, seconds: float, took_s: float
) -> None:
    """The burst was one, and the gateway took what is allowed, neither more nor much less.

    Requests that wait for their turn are sent after the burst too.
    """
    sent = sum(len(each.sent) for each in devices)
    acknowledged = sum(len(each.acknowledged) for each in devices)
    allowed = PER_S * DEVICES * (took_s + BURST_S)
    assert sent > 0.7 * TIMES * PER_S * DEVICES * seconds
    assert 0.8 * PER_S * DEVICES * seconds < acknowledged <= allowed
    counted = httpx.get(f"{gateway.url}/metrics", timeout=10).text
    found = re.findall(r'rejected\S*reason="rate"\S* (\d+)', counted)
    assert sum(map(int, found)) == sent - acknowledged
