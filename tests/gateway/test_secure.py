"""TLS believes the registry's authorities as they come and go; no restart in between."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from edge.mqtt.encoding import encode
from edge.mqtt.packets import Connect
from edge.mqtt.wire import V5
from gateway.secure import server_context
from telemetry.changes import AuthorityBody
from telemetry.errors import SettingsError
from telemetry.settings import Settings
from tests.gateway.certificates import Authority
from tests.gateway.entrances import EDITIONS, enrol, house
from tests.gateway.served import Served
from tests.gateway.test_standing import registered


class Site:
    """A gateway with TLS, a device with a certificate, and who signed it."""

    def __init__(
        self, folder: Path, *, is_configured: bool = False, root: Authority | None = None
    ) -> None:
        self.authority, servers = Authority("Devices", root), Authority("Servers")
        own, _ = servers.issue(folder, "localhost", x509.DNSName("localhost"))
        uri = x509.UniformResourceIdentifier("device:pk.d1")
        self.device, self.certificate = self.authority.issue(folder, "any", uri)
        self._servers = servers.pem
        self.house = house()
        enrol(self.house.directory, "pk.d1")
        path = folder / "authorities.pem"
        path.write_text(self.authority.pem)
        self.settings = Settings(
            gateway_certificate=own, gateway_authorities=path if is_configured else None
        )
        self.served = Served(self.house, server_context(self.settings, self.house.directory))

    def tell(self, body: AuthorityBody | None, name: str = "ca") -> None:
        """Change an authority as the registry does."""

        async def told() -> None:
            self.house.directory.apply(EDITIONS.change("authority", name, body))

        self.served.do(told())

    def believe(self) -> None:
        self.tell(AuthorityBody(self.authority.pem, None, True))

    def is_let_in(self) -> bool:
        """Have the device come by its certificate, and read the CONNACK or the TLS alert."""
        context = ssl.create_default_context(cadata=self._servers)
        context.load_cert_chain(self.device)
        address = ("localhost", self.served.port("mqtts"))
        with socket.create_connection(address, 10) as plain:
            try:
                with context.wrap_socket(plain, server_hostname="localhost") as secured:
                    secured.sendall(encode(Connect(V5, "c1"), V5))
                    answer = secured.recv(4)
            except (ssl.SSLError, ConnectionError):
                return False
        return len(answer) == 4 and answer[3] == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.served.stop()


def test_authority_counts_from_when_it_comes_until_it_goes(site: Site) -> None:
    assert not site.is_let_in()
    site.believe()
    assert site.is_let_in()
    site.tell(None)
    assert not site.is_let_in()
    site.believe()
    assert site.is_let_in()


def test_registered_certificate_of_a_removed_authority_is_refused(site: Site) -> None:
    site.believe()

    async def register() -> None:
        registered(site.house, site.certificate)

    site.served.do(register())
    assert site.is_let_in()
    site.tell(None)
    site.tell(AuthorityBody(Authority("Other").pem, None, True), "other")
    assert not site.is_let_in()


def test_authority_that_cannot_be_read_leaves_the_others(site: Site) -> None:
    site.believe()
    assert site.is_let_in()
    site.tell(AuthorityBody("no certificate", None, False), "broken")
    assert site.is_let_in()


def test_authority_that_tls_does_not_take_keeps_no_later_one_out(site: Site) -> None:
    broken = Authority("Another tenant's").pem + "-----BEGIN CERTIFICATE-----\n"
    site.tell(AuthorityBody(broken, None, False), "broken")
    site.believe()
    assert site.is_let_in()
    assert server_context(site.settings, site.house.directory), "nor does the next start fail"


def test_file_of_authorities_that_is_not_there_is_named(site: Site, tmp_path: Path) -> None:
    wrong = site.settings.model_copy(update={"gateway_authorities": tmp_path / "nowhere.pem"})
    with pytest.raises(SettingsError, match=r"HEADWATER_GATEWAY_AUTHORITIES=.*nowhere"):
        server_context(wrong, site.house.directory)


def test_authority_of_the_settings_outlives_its_removal_from_the_registry(tmp_path: Path) -> None:
    site = Site(tmp_path, is_configured=True)

    async def register() -> None:
        registered(site.house, site.certificate)

    try:
        site.served.do(register())
        site.believe()
        assert site.is_let_in()
        site.tell(None)
        assert site.is_let_in()
    finally:
        site.served.stop()


def test_authority_that_another_has_signed_is_believed_by_itself(tmp_path: Path) -> None:
    root = Authority("Root")
    site = Site(tmp_path, root=root)
    try:
        site.believe()
        assert site.is_let_in()
        site.tell(None)
        site.tell(AuthorityBody(root.pem, None, False), "root")
        assert not site.is_let_in(), "the device does not even show who signed it"
    finally:
        site.served.stop()


def test_list_names_an_authority_that_its_device_alone_shows(tmp_path: Path) -> None:
    root = Authority("root")
    site = Site(tmp_path, root=root)
    site.device.write_bytes(site.device.read_bytes() + site.authority.pem.encode())
    site.tell(AuthorityBody(root.pem), "root")

    async def register() -> None:
        registered(site.house, site.certificate)

    site.served.do(register())
    assert site.is_let_in()
    site.tell(AuthorityBody(root.pem, root.revocations(site.authority.certificate)), "root")
    assert not site.is_let_in()
    site.served.stop()
