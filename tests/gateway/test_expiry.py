"""A real registry, broker and gateway: what ends by its own time or list is over within 5 s."""

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from telemetry.settings import Settings
from tests.brokers import Broker
from tests.end_to_end.stack import free_port_base
from tests.gateway.certificates import Authority
from tests.gateway.entrances import Signed
from tests.gateway.guests import BY_CERTIFICATE, GUESTS, Guest, signed_now, token
from tests.gateway.kills.gateways import GatewayProcess
from tests.gateway.registries import RegistryProcess

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]
LIFE = timedelta(seconds=12)
WITHIN_S = 5.0
TOLD_S = 2.0
Shown = tuple[ssl.SSLContext, x509.Certificate]
Site = tuple[RegistryProcess, GatewayProcess]


class Certificates:
    """Who signs devices' certificates, and the gateway's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.devices, self._servers = Authority("Devices"), Authority("Servers")
        self.own, _ = self._servers.issue(folder, "localhost", x509.DNSName("localhost"))

    def issue(self, device_full: str, life: timedelta) -> "Shown":
        """Return what a device shows, and its certificate."""
        uri = x509.UniformResourceIdentifier(f"device:{device_full}")
        path, found = self.devices.issue(self._folder, "any", uri, life=life)
        context = ssl.create_default_context(cadata=self._servers.pem)
        context.load_cert_chain(path)
        return context, found


def _site(broker: Broker, factory: pytest.TempPathFactory, **environment: str) -> Iterator[Site]:
    home, bootstrap = factory.mktemp("site"), broker.settings.kafka_bootstrap
    registry = RegistryProcess(Settings(home=home, port_base=free_port_base(), kafka=bootstrap))
    registry.wait_until_ready()
    gateway = GatewayProcess(home, bootstrap, HEADWATER_GATEWAY_DEVELOPMENT="off", **environment)
    try:
        if environment:
            time.sleep(5.0)
        else:
            gateway.wait_until_ready()
        yield registry, gateway
    finally:
        gateway.close()
        registry.close()


@pytest.fixture(scope="module")
def site(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from _site(broker, tmp_path_factory)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(
    broker: Broker, tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Site]:
    yield from _site(broker, tmp_path_factory, HEADWATER_GATEWAY_CERTIFICATE=str(certificates.own))


def _is_over(guest: Guest, begin: Callable[[], datetime]) -> None:
    """See that a guest is sent away within 5 s of the moment that `begin` returns."""
    try:
        ends_at = begin()
        guest.waits()
        late_s = (datetime.now(UTC) - ends_at).total_seconds()
        assert -0.5 < late_s < WITHIN_S
    finally:
        guest.close()


def _token(registry: RegistryProcess, name: str, ends_at: datetime) -> Signed:
    made = registry.asks("PUT", "jwt-keys/k1", algorithm="HS256", issuer="us", audience="headwater")
    claims = {"sub": name, "iss": "us", "aud": "headwater", "exp": ends_at.timestamp()}
    return token(jwt.encode(claims, str(made["secret"]), "HS256", headers={"kid": "k1"}))


@pytest.mark.parametrize("protocol", GUESTS)
def test_session_of_a_token_is_over_with_it(site: Site, protocol: str) -> None:
    registry, gateway = site
    name, ends_at = f"token-{protocol}", datetime.now(UTC) + LIFE
    registry.asks("PUT", f"devices/{name}")
    shown = _token(registry, name, ends_at)
    time.sleep(TOLD_S)

    _is_over(GUESTS[protocol](gateway.port(protocol), name, shown), lambda: ends_at)


@pytest.mark.parametrize("protocol", GUESTS)
def test_session_of_a_secret_in_its_overlap_is_over_with_that(site: Site, protocol: str) -> None:
    registry, gateway = site
    name = f"overlap-{protocol}"
    _, secret = registry.enrolled(name)
    time.sleep(TOLD_S)
    guest = GUESTS[protocol](gateway.port(protocol), name, signed_now(name, secret))

    def rotate() -> datetime:
        registry.asks("POST", f"devices/{name}/credentials/rotate", overlap_d=LIFE / timedelta(1))
        return datetime.now(UTC) + LIFE

    _is_over(guest, rotate)


def _comes(secure: Site, certificates: Certificates, name: str, life: timedelta) -> Shown:
    registry, _ = secure
    registry.asks("PUT", f"devices/{name}")
    registry.asks("PUT", "authorities/ca", certificate=certificates.devices.pem, names_devices=True)
    time.sleep(TOLD_S)
    return certificates.issue(name, life)


PORTS = {"mqtt": "mqtts", "http": "http"}


@pytest.mark.parametrize("protocol", PORTS)
def test_session_of_a_certificate_is_over_with_it(
    secure: Site, certificates: Certificates, protocol: str
) -> None:
    name = f"short-{protocol}"
    shown, certificate = _comes(secure, certificates, name, LIFE)

    port = secure[1].port(PORTS[protocol])
    guest = GUESTS[protocol](port, name, BY_CERTIFICATE, shown)
    _is_over(guest, lambda: certificate.not_valid_after_utc)


@pytest.mark.parametrize("protocol", PORTS)
def test_newest_list_of_revocations_ends_sessions(
    secure: Site, certificates: Certificates, protocol: str
) -> None:
    name = f"listed-{protocol}"
    shown, certificate = _comes(secure, certificates, name, timedelta(days=1))
    port = secure[1].port(PORTS[protocol])
    guest = GUESTS[protocol](port, name, BY_CERTIFICATE, shown)

    def listed() -> datetime:
        revocations = certificates.devices.revocations(certificate)
        secure[0].asks("PUT", "authorities/ca/revocations", revocations=revocations)
        return datetime.now(UTC)

    _is_over(guest, listed)


@pytest.mark.parametrize("protocol", PORTS)
def test_registered_certificate_that_is_revoked_ends_sessions(
    secure: Site, certificates: Certificates, protocol: str
) -> None:
    name = f"revoked-{protocol}"
    shown, certificate = _comes(secure, certificates, name, timedelta(days=1))
    pem = certificate.public_bytes(Encoding.PEM).decode()
    added = secure[0].asks("POST", f"devices/{name}/certificates", certificate=pem)
    time.sleep(TOLD_S)
    port = secure[1].port(PORTS[protocol])
    guest = GUESTS[protocol](port, name, BY_CERTIFICATE, shown)

    def revoked() -> datetime:
        secure[0].asks("DELETE", f"devices/{name}/certificates/{added['fingerprint']}")
        return datetime.now(UTC)

    _is_over(guest, revoked)
