"""Devices that come over HTTPS by their client certificate alone."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from telemetry.changes import AuthorityBody
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base
from tests.gateway.certificates import Authority
from tests.gateway.entrances import EDITIONS, MESSAGE, enrol, house
from tests.gateway.served import Served


class Site:
    """A gateway with TLS, and a device with a certificate of an authority that names devices."""

    def __init__(self, folder: Path) -> None:
        self.authority, self._servers = Authority("Devices"), Authority("Servers")
        own, _ = self._servers.issue(folder, "localhost", x509.DNSName("localhost"))
        uri = x509.UniformResourceIdentifier("device:pk.d1")
        self._device, self.certificate = self.authority.issue(folder, "any", uri)
        self.house = house()
        enrol(self.house.directory, "pk.d1")
        self.believe()
        settings = Settings(port_base=free_port_base(), gateway_certificate=own)
        self.served = Served(self.house, settings=settings)

    def believe(self, *, revoked: bool = False) -> None:
        """Have the gateway know the authority, and what it revoked."""
        revocations = self.authority.revocations(self.certificate) if revoked else None
        body = AuthorityBody(self.authority.pem, revocations, True)
        self.house.directory.apply(EDITIONS.change("authority", "ca", body))

    def client(self, *, is_2: bool = False, shows: bool = True) -> httpx.Client:
        """Return a client of one connection."""
        context = ssl.create_default_context(cadata=self._servers.pem)
        if shows:
            context.load_cert_chain(self._device)
        url = f"https://localhost:{self.served.port('http')}"
        return httpx.Client(base_url=url, verify=context, http2=is_2, trust_env=False)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.served.stop()


def _status(client: httpx.Client, device: str = "d1", **headers: str) -> int:
    path = f"/devices/{device}/telemetry"
    return client.post(path, content=MESSAGE, headers=headers).status_code


@pytest.mark.parametrize("is_2", [False, True])
def test_certificate_is_enough(site: Site, *, is_2: bool) -> None:
    with site.client(is_2=is_2) as client:
        answer = client.post("/devices/pk.d1/telemetry", content=MESSAGE)
        assert (answer.http_version, answer.status_code) == ("HTTP/2" if is_2 else "HTTP/1.1", 202)
        assert _status(client, "pk.d2") == 403
    assert [taken.key for taken in site.house.outlet.taken] == [b"pk.d1"]


def test_who_shows_neither_certificate_nor_header_is_not_let_in(site: Site) -> None:
    with site.client(shows=False) as client:
        assert _status(client) == 401


def test_header_goes_before_the_certificate(site: Site) -> None:
    with site.client() as client:
        assert _status(client, Authorization="Bearer wrong") == 401


def test_certificate_that_is_revoked_ends_with_its_connection_open(site: Site) -> None:
    with site.client() as client:
        assert _status(client) == 202

        async def revoke() -> None:
            site.believe(revoked=True)

        site.served.do(revoke())
        assert _status(client) == 401
