"""What was revoked: out of force for good, whatever is asked for anew."""

from tests.services.certificates import made
from tests.services.registry_parts import TestedRegistry

M1 = "/v1/devices/meter.m1"


def test_certificate_that_was_revoked_is_no_devices_again(either: TestedRegistry) -> None:
    either.meter("meter.m1")
    either.done("PUT", "/v1/devices/m2", {})
    either.done("PUT", "/v1/tenants/acme", {})
    either.done("PUT", "/v1/devices/m9?tenant=acme", {})
    first, second = ({"certificate": made("meter.m1", made("maker")).pem} for _ in range(2))
    added = either.done("POST", f"{M1}/certificates", first)
    either.done("DELETE", f"{M1}/certificates/{added['fingerprint']}")
    either.done("POST", f"{M1}/certificates", second)
    either.done("POST", f"{M1}/revoke")

    for path in (M1, "/v1/devices/m2"):
        for own in (first, second):
            answer = either.ask("POST", f"{path}/certificates", own)
            assert (answer.status_code, "revoked" in answer.text) == (409, True)
    elsewhere = either.ask("POST", "/v1/devices/m9/certificates?tenant=acme", first)
    assert elsewhere.status_code == 409
