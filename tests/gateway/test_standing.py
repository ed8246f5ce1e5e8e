"""Who came in is held against each change of the registry: what ends a session, and when."""

from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.authentication import PLAIN_TOKEN, REFUSED
from gateway.http.logins import Logins, Sender
from gateway.identity import Identity, Presented
from gateway.outcome import Rejected
from telemetry.changes import (
    AuthorityBody,
    Body,
    CertificateBody,
    CredentialBody,
    DeviceBody,
    JwtKeyBody,
    Kind,
    TenantBody,
)
from telemetry.devices import Device
from telemetry.sealing import seal
from tests.gateway.certificates import Authority
from tests.gateway.entrances import EDITIONS, NOW, RING, House, enrol, house, signed

SECRET = b"secret"
REVOKED = ["the credential was revoked"]
EXPIRED = ["the credential has expired"]


class Ended:
    """A session that notes why it was ended."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.reasons: list[str] = []

    def renew(self, identity: Identity) -> None:
        self.identity = identity

    def end(self, reason: str) -> None:
        self.reasons.append(reason)


def at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def by_secret() -> Presented:
    return Presented(*signed("pk.d1", SECRET), address="10.0.0.1")


def enrolled(until: datetime | None = None) -> House:
    one = house()
    enrol(one.directory, "pk.d1", SECRET, until=until)
    return one


def told(one: House, kind: Kind, name: str, body: Body | None) -> None:
    one.directory.apply(EDITIONS.change(kind, name, body))


def session(one: House, presented: Presented | None = None, now: float = NOW) -> Ended:
    found = one.entrance.login(presented or by_secret(), protocol="mqtt", now=now)
    assert isinstance(found, Identity)
    live = Ended(found)
    one.entrance.lives.add(live)
    return live


def rotated(one: House, until: float) -> None:
    """Give the secret an end, as the registry's `rotate` does."""
    sealed = seal(SECRET, RING, b"credential/default/pk.d1/s1")
    told(one, "credential", "pk.d1/s1", CredentialBody("pk.d1", sealed, at(0), at(until)))


@pytest.mark.parametrize(
    ("kind", "name"), [("credential", "pk.d1/s1"), ("device", "pk.d1"), ("tenant", "default")]
)
def test_what_is_revoked_ends_its_sessions(kind: Kind, name: str) -> None:
    one = enrolled()
    live = session(one)

    told(one, kind, name, TenantBody(is_disabled=True) if kind == "tenant" else None)

    assert live.reasons == REVOKED
    assert one.entrance.login(by_secret(), protocol="mqtt", now=NOW) == REFUSED


def test_change_of_another_device_ends_nothing() -> None:
    one = enrolled()
    live = session(one)
    enrol(one.directory, "pk.d2", b"x")
    enrol(one.directory, "pk.d1", b"x", tenant="acme")

    assert live.reasons == []


def test_session_ends_when_its_credential_runs_out() -> None:
    one = enrolled(at(NOW + 10))
    live = session(one)

    one.entrance.lives.expire(NOW + 9)
    assert live.reasons == []
    one.entrance.lives.expire(NOW + 10)
    assert live.reasons == EXPIRED


def test_end_that_a_secret_gets_after_the_login_counts() -> None:
    one = enrolled()
    live = session(one)

    rotated(one, NOW + 10)

    one.entrance.lives.expire(NOW + 9)
    assert live.reasons == []
    one.entrance.lives.expire(NOW + 10)
    assert live.reasons == EXPIRED


def test_device_that_came_in_for_development_goes_once_it_is_disabled() -> None:
    one, plain = house(is_anonymous=True), Presented("pk.d1")
    enrol(one.directory, "pk.d1")
    live, stranger = session(one, plain), session(one, Presented("pk.d2"))

    told(one, "device", "pk.d1", DeviceBody(Device("pk.d1"), is_disabled=True))

    assert (live.reasons, stranger.reasons) == (REVOKED, [])
    assert one.entrance.login(plain, protocol="mqtt", now=NOW) == REFUSED


def certificate_of(one: House, authority: Authority, folder: Path) -> x509.Certificate:
    """Return a certificate whose authority names the device."""
    told(one, "authority", "ca", AuthorityBody(authority.pem, None, True))
    uri = x509.UniformResourceIdentifier("device:pk.d1")
    return authority.issue(folder, "any", uri)[1]


def shown(certificate: x509.Certificate) -> Presented:
    return Presented(certificate=certificate.public_bytes(Encoding.DER), is_tls=True)


def registered(one: House, certificate: x509.Certificate) -> str:
    """Have the registry name the certificate, and return how."""
    serial = f"{certificate.serial_number:x}"
    ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    name = certificate.fingerprint(SHA256()).hex()
    told(one, "certificate", name, CertificateBody("pk.d1", serial, *ends))
    return name


@pytest.mark.parametrize("is_registered", [False, True])
@pytest.mark.parametrize("what", ["removed", "replaced", "revoked", "renewed", "no names"])
def test_change_of_the_authority_ends_the_sessions_of_its_certificates(
    tmp_path: Path, what: str, is_registered: bool
) -> None:
    one, authority, now = enrolled(), Authority(), datetime.now(UTC).timestamp()
    certificate = certificate_of(one, authority, tmp_path)
    if is_registered:
        registered(one, certificate)
    live, other = session(one, shown(certificate), now), session(one)
    bodies = {
        "removed": None,
        "replaced": AuthorityBody(Authority("Other").pem, None, True),
        "revoked": AuthorityBody(authority.pem, authority.revocations(certificate), True),
        "renewed": AuthorityBody(authority.pem, authority.revocations(), True),
        "no names": AuthorityBody(authority.pem, None, False),
    }

    told(one, "authority", "ca", bodies[what])

    is_good = what == "renewed" or (what == "no names" and is_registered)
    assert live.reasons == ([] if is_good else REVOKED)
    assert other.reasons == []
    again = one.entrance.login(shown(certificate), protocol="mqtt", now=now)
    assert isinstance(again, Identity) == is_good


def test_registered_certificate_that_is_removed_ends_its_sessions(tmp_path: Path) -> None:
    one, now = enrolled(), datetime.now(UTC).timestamp()
    certificate = certificate_of(one, Authority(), tmp_path)
    name = registered(one, certificate)
    live = session(one, shown(certificate), now)

    told(one, "certificate", name, None)

    assert live.reasons == REVOKED


def key(until: float | None = None, secret: bytes = b"shared" * 8, **more: str) -> JwtKeyBody:
    sealed = seal(secret, RING, b"jwt_key/default/k7")
    ends = at(until) if until is not None else None
    return JwtKeyBody("HS256", more.get("issuer", "acme"), "gw", None, sealed, None, ends)


def by_token() -> Presented:
    claims = {"sub": "pk.d1", "aud": "gw", "iss": "acme", "iat": NOW, "exp": NOW + 3600}
    text = jwt.encode(claims, b"shared" * 8, "HS256", {"kid": "k7"})
    return Presented("any", "pk.d1", text, address="10.0.0.1", is_tls=True)


def test_session_of_a_token_ends_with_its_key() -> None:
    one = enrolled()
    told(one, "jwt_key", "k7", key(NOW + 60))
    live = session(one, by_token())
    assert live.identity.expires_at == NOW + 60

    one.entrance.lives.expire(NOW + 60)
    assert live.reasons == EXPIRED


def test_end_that_a_key_gets_after_the_login_counts_and_its_going_too() -> None:
    one, body = enrolled(), key()
    told(one, "jwt_key", "k7", body)
    live = session(one, by_token())

    for until, expected in ((NOW + 60, NOW + 60), (NOW + 7200, NOW + 3600)):
        ends = JwtKeyBody("HS256", "acme", "gw", None, body.secret, None, at(until))
        told(one, "jwt_key", "k7", ends)
        assert (live.reasons, live.identity.expires_at) == ([], expected)

    told(one, "jwt_key", "k7", None)
    assert live.reasons == REVOKED


@pytest.mark.parametrize("changed", [key(secret=b"other!" * 8), key(issuer="other")])
def test_key_that_became_another_ends_what_the_old_one_let_in(changed: JwtKeyBody) -> None:
    one = enrolled()
    told(one, "jwt_key", "k7", key())
    live = session(one, by_token())

    told(one, "jwt_key", "k7", changed)

    assert live.reasons == REVOKED


class Web:
    """Requests that all carry one token, or a signed password."""

    def __init__(self, one: House, presented: Presented) -> None:
        self._logins = Logins(one.entrance)
        self._presented = presented

    def asks(self, now: float) -> Identity | Rejected:
        token = f"Bearer {self._presented.password}"
        return self._logins.identity(token, None, Sender("10.0.0.1", is_tls=True), now=now)


@pytest.mark.parametrize("changed", [None, key(issuer="other"), key(NOW + 1)])
def test_login_over_http_is_forgotten_with_its_credential(changed: JwtKeyBody | None) -> None:
    one = enrolled()
    told(one, "jwt_key", "k7", key())
    web = Web(one, by_token())
    assert isinstance(web.asks(NOW), Identity)

    told(one, "jwt_key", "k7", changed)

    assert web.asks(NOW + 1) == REFUSED


def test_login_over_http_is_forgotten_when_the_device_is_disabled() -> None:
    one = enrolled()
    told(one, "jwt_key", "k7", key())
    web = Web(one, by_token())
    assert isinstance(web.asks(NOW), Identity)

    told(one, "device", "pk.d1", DeviceBody(Device("pk.d1"), is_disabled=True))

    assert web.asks(NOW + 1) == REFUSED


def test_login_over_http_is_remembered_for_its_address_alone() -> None:
    one = enrolled()
    told(one, "jwt_key", "k7", key())
    logins, token = Logins(one.entrance), f"Bearer {by_token().password}"

    here = logins.identity(token, None, Sender("127.0.0.1"), now=NOW)
    elsewhere = logins.identity(token, None, Sender("10.0.0.1"), now=NOW)

    assert isinstance(here, Identity)
    assert elsewhere == PLAIN_TOKEN
