"""A real registry, broker and gateway: what the registry ends is over within 5 s, everywhere."""

import time
from collections.abc import Iterator

import pytest

from telemetry.settings import Settings
from tests.brokers import Broker
from tests.end_to_end.stack import free_port_base
from tests.gateway.guests import GUESTS, signed_now
from tests.gateway.kills.gateways import GatewayProcess
from tests.gateway.registries import RegistryProcess

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]
WITHIN_S = 5.0


class Site:
    """A gateway that hears of a registry's changes."""

    def __init__(self, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> None:
        home, bootstrap = tmp_path_factory.mktemp("site"), broker.settings.kafka_bootstrap
        settings = Settings(home=home, port_base=free_port_base(), kafka=bootstrap)
        self.registry = RegistryProcess(settings)
        self.registry.wait_until_ready()
        self.gateway = GatewayProcess(home, bootstrap, HEADWATER_GATEWAY_DEVELOPMENT="off")
        self.gateway.wait_until_ready()

    def close(self) -> None:
        self.gateway.close()
        self.registry.close()


@pytest.fixture(scope="module")
def site(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = Site(broker, tmp_path_factory)
    yield running
    running.close()


@pytest.mark.parametrize("protocol", GUESTS)
@pytest.mark.parametrize("what", ["revoked", "rotated", "disabled"])
def test_session_is_over_within_five_seconds(site: Site, protocol: str, what: str) -> None:
    name = f"{what}-{protocol}"
    credential, secret = site.registry.enrolled(name)
    time.sleep(2.0)
    guest = GUESTS[protocol](site.gateway.port(protocol), name, signed_now(name, secret))
    try:
        time.sleep(1.0)
        begun = time.monotonic()
        if what == "revoked":
            site.registry.asks("DELETE", f"devices/{name}/credentials/{credential}")
        elif what == "rotated":
            site.registry.asks("POST", f"devices/{name}/credentials/rotate", overlap_d=0)
        else:
            site.registry.asks("POST", f"devices/{name}/disable")
        guest.waits()
        assert time.monotonic() - begun < WITHIN_S
    finally:
        guest.close()
