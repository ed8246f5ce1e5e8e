"""What the registry takes of authorities: all that TLS is to read, and lists that may be long."""

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
