"""What the registry takes of authorities: all that TLS is to read, long lists, one tenant each."""

from telemetry.changes import AuthorityBody
from tests.gateway.certificates import with_strange_key
from tests.services.certificates import made
from tests.services.registry_parts import TestedRegistry

PATH = "/v1/authorities/maker"


def test_revocation_list_may_name_thousands(registry: TestedRegistry) -> None:
    maker = made("maker")
    listed = maker.revocations(*range(2**150, 2**150 + 4_000))
    registry.done("PUT", PATH, {"certificate": maker.pem})

    registry.done("PUT", f"{PATH}/revocations", {"revocations": listed})
    registry.follower.follow()

    body = registry.topic.held()[b"authority/default/maker"].body
    assert isinstance(body, AuthorityBody)
    assert body.revocations == listed


def test_authority_that_breaks_off_behind_its_certificate_is_refused(
    registry: TestedRegistry,
) -> None:
    whole = made("maker").pem
    broken = registry.ask("PUT", PATH, {"certificate": f"{whole}-----BEGIN CERTIFICATE-----\n"})
    assert (broken.status_code, "TLS does not take it" in broken.text) == (422, True)
    for text in (whole, whole + whole):
        registry.done("PUT", PATH, {"certificate": text})


def test_authority_whose_key_nobody_reads_is_refused(registry: TestedRegistry) -> None:
    strange = with_strange_key(made("maker").certificate)
    for names_devices in (False, True):
        said = {"certificate": strange, "names_devices": names_devices}
        answer = registry.ask("PUT", PATH, said)
        assert (answer.status_code, "key that is known" in answer.text) == (422, True)


def test_authority_that_another_tenant_has_names_no_devices(either: TestedRegistry) -> None:
    maker = made("maker")
    either.done("PUT", "/v1/tenants/acme", {})
    either.done("PUT", "/v1/authorities/a", {"certificate": maker.pem})
    theirs = "/v1/authorities/b?tenant=acme"
    refused = either.ask("PUT", theirs, {"certificate": maker.pem, "names_devices": True})
    assert (refused.status_code, "another tenant" in refused.text) == (409, True)

    either.done("PUT", theirs, {"certificate": maker.pem})
    both = either.ask("PUT", theirs, {"certificate": maker.pem, "names_devices": True})
    assert both.status_code == 409
    either.done("DELETE", "/v1/authorities/a")
    either.done("PUT", theirs, {"certificate": maker.pem, "names_devices": True})


def test_certificate_whose_authority_names_anothers_devices_is_refused(
    either: TestedRegistry,
) -> None:
    maker = made("maker")
    own = {"certificate": made("meter.m1", maker).pem}
    either.meter("meter.m1")
    either.done("PUT", "/v1/authorities/a", {"certificate": maker.pem, "names_devices": True})
    either.done("PUT", "/v1/tenants/acme", {})
    either.done("PUT", "/v1/devices/m9?tenant=acme", {})

    theirs = "/v1/devices/m9/certificates?tenant=acme"
    refused = either.ask("POST", theirs, own)
    assert (refused.status_code, "another tenant" in refused.text) == (409, True)
    either.done("POST", "/v1/devices/meter.m1/certificates", own)
    either.done("POST", theirs, {"certificate": made("m9", made("maker")).pem})
