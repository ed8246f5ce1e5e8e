"""Client certificates: whose they are, and what ends them."""

import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.authentication import REFUSED
from gateway.certificates import MOST_ABOVE
from gateway.identity import Identity, Presented
from gateway.outcome import Rejected
from gateway.standing import standing
from telemetry.changes import AuthorityBody, CertificateBody
from tests.gateway.certificates import Authority, with_strange_key
from tests.gateway.entrances import EDITIONS, House, enrol, house

URI = x509.UniformResourceIdentifier("device:pk.d1")


def shown(one: House, certificate: x509.Certificate) -> Identity | Rejected:
    presented = Presented(certificate=certificate.public_bytes(Encoding.DER), is_tls=True)
    now = datetime.now(UTC).timestamp()
    return one.entrance.login(presented, protocol="mqtt", now=now)


def trusting(authority: Authority, revocations: str | None = None, *, names: bool = True) -> House:
    one = house()
    enrol(one.directory, "pk.d1")
    body = AuthorityBody(authority.pem, revocations, names)
    one.directory.apply(EDITIONS.change("authority", "ca", body))
    return one


def register(one: House, certificate: x509.Certificate, *, tenant: str = "default") -> str:
    """Have a certificate be that of `pk.d1` of a tenant, and return its fingerprint."""
    body = CertificateBody(
        "pk.d1",
        f"{certificate.serial_number:x}",
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    fingerprint = certificate.fingerprint(SHA256()).hex()
    one.directory.apply(EDITIONS.change("certificate", fingerprint, body, tenant=tenant))
    return fingerprint


def test_name_of_the_certificate_is_its_uri_then_its_common_name(tmp_path: Path) -> None:
    authority = Authority()
    one = trusting(authority)
    for names in ((URI,), ()):
        common = "pk.d1" if not names else "anything"
        found = shown(one, authority.issue(tmp_path, common, *names)[1])
        assert isinstance(found, Identity)
        assert (found.device_full, found.credential) == ("pk.d1", "authority/ca")


def test_authority_that_may_not_name_devices_names_none(tmp_path: Path) -> None:
    authority = Authority()
    certificate = authority.issue(tmp_path, "pk.d1")[1]

    assert shown(trusting(authority, names=False), certificate) == REFUSED
    assert shown(trusting(Authority("other")), certificate) == REFUSED


def test_registered_certificate_is_its_devices_until_it_is_revoked(tmp_path: Path) -> None:
    authority = Authority()
    one = trusting(authority, names=False)
    certificate = authority.issue(tmp_path, "anything")[1]
    fingerprint = register(one, certificate)
    found = shown(one, certificate)
    assert isinstance(found, Identity)
    assert found.credential == f"certificate/{fingerprint}"

    one.directory.apply(EDITIONS.change("certificate", fingerprint, None))
    assert shown(one, certificate) == REFUSED


def test_revoked_certificate_is_refused_although_its_authority_names_devices(
    tmp_path: Path,
) -> None:
    authority = Authority()
    one = trusting(authority, names=True)
    certificate = authority.issue(tmp_path, "x", URI)[1]
    begins = certificate.not_valid_before_utc
    ended = CertificateBody("pk.d1", f"{certificate.serial_number:x}", begins, begins)
    assert isinstance(shown(one, certificate), Identity)

    fingerprint = certificate.fingerprint(SHA256()).hex()
    one.directory.apply(EDITIONS.change("certificate", fingerprint, ended))

    assert shown(one, certificate) == REFUSED


def test_newest_list_of_revocations_counts_without_a_restart(tmp_path: Path) -> None:
    authority = Authority()
    one = trusting(authority, authority.revocations())
    certificate = authority.issue(tmp_path, "x", URI)[1]
    assert isinstance(shown(one, certificate), Identity)

    newest = AuthorityBody(authority.pem, authority.revocations(certificate), True)
    one.directory.apply(EDITIONS.change("authority", "ca", newest))
    assert shown(one, certificate) == REFUSED


def test_list_that_another_authority_signed_revokes_nothing(tmp_path: Path) -> None:
    authority = Authority()
    certificate = authority.issue(tmp_path, "x", URI)[1]
    forged = Authority().revocations(certificate)

    assert isinstance(shown(trusting(authority, forged), certificate), Identity)


def test_authority_whose_key_nobody_reads_keeps_no_device_of_another_out(tmp_path: Path) -> None:
    authority, one = Authority(), house()
    enrol(one.directory, "pk.d1")
    strange = AuthorityBody(with_strange_key(authority.certificate), None, True)
    one.directory.apply(EDITIONS.change("authority", "a", strange, tenant="acme"))
    known = AuthorityBody(authority.pem, None, True)
    one.directory.apply(EDITIONS.change("authority", "ca", known))

    assert isinstance(shown(one, authority.issue(tmp_path, "any", URI)[1]), Identity)


def test_certificate_is_of_the_tenant_whose_devices_its_authority_names(tmp_path: Path) -> None:
    authority = Authority()
    one, other = trusting(authority), trusting(authority, names=False)
    certificate = authority.issue(tmp_path, "x", URI)[1]
    for each in (one, other):
        enrol(each.directory, "pk.d1", tenant="evil")
        register(each, certificate, tenant="evil")

    found, registered = shown(one, certificate), shown(other, certificate)

    assert isinstance(found, Identity)
    assert (found.tenant, found.credential) == ("default", "authority/ca")
    assert isinstance(registered, Identity)
    assert registered.tenant == "evil"
    other.directory.apply(
        EDITIONS.change("authority", "ca", AuthorityBody(authority.pem, None, True))
    )
    assert standing(registered, other.directory) is None


def test_list_that_names_an_authority_refuses_who_is_below_it(tmp_path: Path) -> None:
    root = Authority("root")
    below = Authority("below", by=root)
    lowest = Authority("lowest", by=below)
    one = trusting(lowest)
    for name, body in (("root", AuthorityBody(root.pem)), ("below", AuthorityBody(below.pem))):
        one.directory.apply(EDITIONS.change("authority", name, body))
    by_chain, by_fingerprint = (lowest.issue(tmp_path, "x", URI)[1] for _ in range(2))
    register(one, by_fingerprint)
    found = [shown(one, each) for each in (by_chain, by_fingerprint)]
    assert [isinstance(each, Identity) for each in found] == [True, True]

    listed = AuthorityBody(root.pem, root.revocations(below.certificate))
    one.directory.apply(EDITIONS.change("authority", "root", listed))

    assert [shown(one, each) for each in (by_chain, by_fingerprint)] == [REFUSED, REFUSED]
    for each in found:
        assert isinstance(each, Identity)
        assert standing(each, one.directory) is None


def test_list_names_an_authority_that_only_tls_has_seen(tmp_path: Path) -> None:
    root = Authority("root")
    below, other = (Authority("below", by=root) for _ in range(2))
    one = trusting(root, root.revocations(below.certificate), names=False)
    one.directory.between.update(dict.fromkeys((below.pem, other.pem)))
    revoked, good = (each.issue(tmp_path, "x", URI)[1] for each in (below, other))
    for each in (revoked, good):
        register(one, each)

    assert shown(one, revoked) == REFUSED
    assert isinstance(shown(one, good), Identity)


def test_authority_that_was_renewed_outlives_its_older_certificate(tmp_path: Path) -> None:
    root = Authority("root")
    one = trusting(root)
    one.directory.apply(
        EDITIONS.change("authority", "new", AuthorityBody(root.again(), None, True))
    )
    certificate = root.issue(tmp_path, "x", URI)[1]
    listed = AuthorityBody(root.pem, root.revocations(root.certificate), True)
    one.directory.apply(EDITIONS.change("authority", "ca", listed))

    found = shown(one, certificate)
    assert isinstance(found, Identity)
    assert found.credential == "authority/new"


def test_as_many_authorities_as_nobody_has_let_nobody_in(tmp_path: Path) -> None:
    lowest = Authority("0")
    one = trusting(lowest, lowest.revocations())
    for number in range(1, MOST_ABOVE + 1):
        certificate = lowest.issue(tmp_path, "x", URI)[1]
        assert isinstance(shown(one, certificate), Identity)
        lowest = Authority(f"{number}", by=lowest)
        body = AuthorityBody(lowest.pem, None, True)
        one.directory.apply(EDITIONS.change("authority", f"{number}", body))

    assert shown(one, lowest.issue(tmp_path, "x", URI)[1]) == REFUSED


def test_many_authorities_of_one_name_and_key_cost_little(tmp_path: Path) -> None:
    root = Authority("root")
    one = trusting(root, root.revocations())
    certificate = root.issue(tmp_path, "x", URI)[1]
    for number in range(30):
        again = AuthorityBody(root.again(), None, True)
        one.directory.apply(EDITIONS.change("authority", f"{number}", again))
    before = time.process_time()

    assert isinstance(shown(one, certificate), Identity)
    assert time.process_time() - before < 0.5
