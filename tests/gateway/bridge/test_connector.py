"""The bridge's connection at a real mosquitto, over an outlet in memory."""

import asyncio
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from gateway.bridge.connector import Connector
from gateway.bridge.intake import Intake
from gateway.bridge.options import broker_address, client_context
from gateway.bridge.session import SessionFile
from gateway.polling import Poller
from telemetry.mqtt_address import mqtt_address
from telemetry.settings import Settings
from tests.gateway.bridge.brokers import LOGIN, Mosquitto, routes
from tests.gateway.certificates import Authority
from tests.gateway.entrances import house

DEVICES = "/devices/+/telemetry"


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path_factory.mktemp("site") / "mosquitto")
    yield running
    running.stop()


class Bridged:
    """A bridge on this loop."""

    def __init__(
        self,
        broker: Mosquitto,
        folder: Path,
        name: str,
        *,
        shared: str = "",
        secure: Settings | None = None,
    ) -> None:
        """Share with those of the group; what other tests left at the broker gets nothing."""
        self.house = one = house()
        ingest, counters = one.entrance.ingest, one.entrance.counters
        poller = Poller([one.outlet])
        ingest.polled_by(poller.wake)
        poller.ingest = ingest
        intake = Intake(routes(one), counters, window=500)
        patterns = (f"$share/{shared or name + DEVICES}",)
        session = SessionFile(folder / f"{name}.json", client_id=name, patterns=patterns)
        own = LOGIN._replace(client_id=name, patterns=patterns, window=500)
        address = mqtt_address(broker.url)
        context = None
        if secure is not None:
            address = broker_address(secure)
            context = client_context(secure, address)
        self.connector = Connector(address, own, intake, session, counters, context)
        self._tasks = [
            asyncio.create_task(self.connector.run()),
            asyncio.create_task(self.connector.tick()),
        ]

    def values(self) -> list[bytes]:
        return [taken.value for taken in self.house.outlet.taken]

    async def close(self) -> None:
        await self.connector.leave(5.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def until(found: Callable[[], bool], within_s: float = 20.0) -> None:
    give_up = time.monotonic() + within_s
    while not found():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)


def messages(name: str, count: int) -> list[tuple[str, bytes]]:
    return [
        (f"devices/{name}/telemetry", b'{"seq":%d,"metrics":{"a":1}}' % number)
        for number in range(count)
    ]


def test_what_the_broker_has_comes_once(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def go() -> None:
        bridge = Bridged(mosquitto, tmp_path, "once")
        await until(lambda: bridge.connector.complaint is None)
        sent = messages("d1", 200)
        await asyncio.to_thread(mosquitto.publish, sent)
        await until(lambda: len(bridge.values()) >= 200)
        await until(lambda: not bridge.connector.intake.pending)
        await bridge.close()
        again = Bridged(mosquitto, tmp_path, "once")
        await until(lambda: again.connector.complaint is None)
        await again.close()

        assert bridge.values() == [payload for _, payload in sent]
        assert again.values() == []

    asyncio.run(go())


def test_what_was_not_durable_is_handed_over_again(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def go() -> None:
        away = Bridged(mosquitto, tmp_path, "again")
        away.house.outlet.is_away = True
        await until(lambda: away.connector.complaint is None)
        sent = messages("d2", 50)
        await asyncio.to_thread(mosquitto.publish, sent)
        await until(lambda: len(away.connector.intake.pending) == 50)
        counters = away.house.entrance.counters
        await away.close()
        assert counters.value("bridge_acknowledged") == 0
        assert away.values() == []

        back = Bridged(mosquitto, tmp_path, "again")
        await until(lambda: len(back.values()) >= 50)
        await back.close()
        assert back.values() == [payload for _, payload in sent]
        assert back.house.entrance.counters.value("bridge_acknowledged") == 50

    asyncio.run(go())


def test_two_bridges_share_what_comes(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def go() -> None:
        both = [
            Bridged(mosquitto, tmp_path, name, shared="g" + DEVICES) for name in ("left", "right")
        ]
        await until(lambda: all(each.connector.complaint is None for each in both))
        sent = messages("d3", 100)
        await asyncio.to_thread(mosquitto.publish, sent)
        await until(lambda: sum(len(each.values()) for each in both) >= 100)
        for each in both:
            await each.close()

        left, right = (each.values() for each in both)
        assert sorted(left + right) == sorted(payload for _, payload in sent)
        assert min(len(left), len(right)) > 10

    asyncio.run(go())


def test_broker_that_goes_is_found_again(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async def go() -> None:
        bridge = Bridged(mosquitto, tmp_path, "patient")
        await until(lambda: bridge.connector.complaint is None)
        await asyncio.to_thread(mosquitto.stop)
        losses = bridge.house.entrance.counters
        await until(lambda: losses.value("bridge_losses") >= 2)
        assert mosquitto.url in str(bridge.connector.complaint)
        await asyncio.to_thread(mosquitto.start)
        await until(lambda: bridge.connector.complaint is None)
        sent = messages("d4", 20)
        await asyncio.to_thread(mosquitto.publish, sent)
        await until(lambda: len(bridge.values()) >= 20)
        await bridge.close()

        assert bridge.values() == [payload for _, payload in sent]

    asyncio.run(go())


def test_filter_that_is_given_up_brings_what_waits_and_no_more(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    async def go() -> None:
        first = Bridged(mosquitto, tmp_path, "leaving")
        await until(lambda: first.connector.complaint is None)
        await first.close()
        waiting = messages("d6", 10)
        await asyncio.to_thread(mosquitto.publish, waiting)
        second = Bridged(mosquitto, tmp_path, "leaving", shared="leaving/nobody")
        await until(lambda: len(second.values()) >= 10)
        await until(lambda: second.connector.complaint is None)
        await asyncio.to_thread(mosquitto.publish, messages("d7", 10))
        await second.close()

        assert second.values() == [payload for _, payload in waiting]

    asyncio.run(go())


SECURE = """cafile {authority}
certfile {server}
keyfile {server}
require_certificate true
use_identity_as_username true
"""


def test_broker_and_bridge_show_each_other_certificates(tmp_path: Path) -> None:
    authority = Authority()
    pem = tmp_path / "authority.pem"
    pem.write_text(authority.pem)
    server, _ = authority.issue(tmp_path, "broker", x509.IPAddress(ip_address("127.0.0.1")))
    client, _ = authority.issue(tmp_path, "bridge")
    broker = Mosquitto(tmp_path / "mosquitto", SECURE.format(authority=pem, server=server))

    async def go() -> None:
        url = f"mqtts://127.0.0.1:{broker.port + 1}"
        known = Settings(bridge_broker=url, bridge_authorities=pem, bridge_certificate=client)
        bridge = Bridged(broker, tmp_path, "known", secure=known)
        trusting = Settings(bridge_broker=url)
        strange = Bridged(broker, tmp_path, "strange", secure=trusting)
        await until(lambda: bridge.connector.complaint is None)
        await until(lambda: "certificate" in str(strange.connector.complaint).lower())
        sent = messages("d5", 3)
        await asyncio.to_thread(broker.publish, sent)
        await until(lambda: len(bridge.values()) >= 3)
        for each in (bridge, strange):
            await each.close()

    try:
        asyncio.run(go())
    finally:
        broker.stop()
