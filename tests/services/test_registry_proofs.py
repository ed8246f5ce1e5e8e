"""What a device or a person proves itself with, beside secrets: certificates, tokens, API keys."""

import hashlib
import hmac
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from telemetry.changes import AuthorityBody, CertificateBody, JwtKeyBody
from telemetry.sealing import unseal
from tests.services.certificates import made
from tests.services.registry_parts import NOW, RING, TestedRegistry

M1 = "/v1/devices/meter.m1"


def test_certificate_is_known_by_its_fingerprint_until_it_is_revoked(
    either: TestedRegistry,
) -> None:
    either.meter("meter.m1")
    own = made("meter.m1", made("maker"))
    added = either.done("POST", f"{M1}/certificates", {"certificate": own.pem})
    either.follower.follow()
    key = f"certificate/default/{added['fingerprint']}".encode()
    body = either.topic.held()[key].body
    assert isinstance(body, CertificateBody)
    assert body.serial == f"{own.certificate.serial_number:x}"
    again = either.ask("POST", f"{M1}/certificates", {"certificate": own.pem})
    assert again.status_code == 409

    either.done("DELETE", f"{M1}/certificates/{added['fingerprint']}")
    either.follower.follow()
    # Forgotten, it would be let in again by an authority that names devices.
    ended = either.topic.held()[key].body
    assert isinstance(ended, CertificateBody)
    assert ended.valid_until == body.valid_from
    (listed,) = either.ask("GET", f"{M1}/certificates").json()
    assert listed["revoked_at"] is not None


def test_authority_is_told_with_its_newest_revocation_list(registry: TestedRegistry) -> None:
    maker, other = made("maker"), made("other")
    path = "/v1/authorities/maker"
    registry.done("PUT", path, {"certificate": maker.pem, "names_devices": True})
    wrong = registry.ask("PUT", f"{path}/revocations", {"revocations": other.revocations(7)})
    assert wrong.status_code == 422
    newest = maker.revocations(7)
    registry.done("PUT", f"{path}/revocations", {"revocations": newest})
    registry.follower.follow()
    body = registry.topic.held()[b"authority/default/maker"].body
    assert isinstance(body, AuthorityBody)
    assert body == AuthorityBody(maker.pem, newest, names_devices=True)


def test_revoked_certificates_stay_so_whatever_is_said_anew_of_their_authority(
    registry: TestedRegistry,
) -> None:
    maker, path = made("maker"), "/v1/authorities/maker"
    newest = maker.revocations(7, 8)
    registry.done("PUT", path, {"certificate": maker.pem, "revocations": newest})
    older = maker.revocations(7, at=NOW - timedelta(hours=1))
    by_list = registry.ask("PUT", f"{path}/revocations", {"revocations": older})
    by_all = registry.ask("PUT", path, {"certificate": maker.pem, "revocations": older})
    assert (by_list.status_code, by_all.status_code) == (409, 409)

    said = registry.done("PUT", path, {"certificate": maker.pem, "names_devices": True})
    assert (said["revocations"], said["names_devices"]) == (newest, True)

    newer = maker.revocations(8, at=NOW + timedelta(hours=1))
    said = registry.done("PUT", f"{path}/revocations", {"revocations": newer})
    assert (said["revocations"], said["names_devices"]) == (newer, True)


def test_authority_names_the_devices_of_one_tenant(either: TestedRegistry) -> None:
    maker, told = made("maker"), {"names_devices": True}
    either.done("PUT", "/v1/tenants/acme", {})
    either.done("PUT", "/v1/authorities/a", {"certificate": maker.pem, **told})
    theirs = "/v1/authorities/b?tenant=acme"
    refused = either.ask("PUT", theirs, {"certificate": maker.pem, **told})
    assert (refused.status_code, "another tenant" in refused.text) == (409, True)

    unnamed = either.ask("PUT", theirs, {"certificate": maker.pem})
    assert (unnamed.status_code, "another tenant" in unnamed.text) == (409, True)
    either.done("PUT", "/v1/authorities/a2", {"certificate": maker.pem, **told})
    either.done("PUT", "/v1/authorities/other?tenant=acme", {"certificate": made("b").pem, **told})
    for name in ("a", "a2"):
        either.done("DELETE", f"/v1/authorities/{name}")
    either.done("PUT", theirs, {"certificate": maker.pem, **told})


def test_certificate_of_another_tenant_does_not_say_whose_it_is(registry: TestedRegistry) -> None:
    own = {"certificate": made("meter.m1", made("maker")).pem}
    registry.meter("meter.m1")
    registry.done("POST", f"{M1}/certificates", own)
    registry.done("PUT", "/v1/tenants/acme", {})
    registry.done("PUT", "/v1/devices/m9?tenant=acme", {})
    refused = registry.ask("POST", "/v1/devices/m9/certificates?tenant=acme", own)
    assert (refused.status_code, "m1" in refused.text) == (409, False)


def test_certificate_that_is_over_is_refused(registry: TestedRegistry) -> None:
    registry.meter("meter.m1")
    own = made("meter.m1", made("maker"), days=1)
    registry.clock.turn(timedelta(days=1))
    answer = registry.ask("POST", f"{M1}/certificates", {"certificate": own.pem})
    assert answer.status_code == 422
    assert "ended" in answer.json()["detail"]


@pytest.mark.parametrize("pem", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_refused(registry: TestedRegistry, pem: str) -> None:
    registry.meter("meter.m1")
    answer = registry.ask("POST", f"{M1}/certificates", {"certificate": pem})
    assert (answer.status_code, "not a certificate" in answer.text) == (422, True)
    leaf = made("leaf", made("maker"))
    answer = registry.ask("PUT", "/v1/authorities/a", {"certificate": leaf.pem})
    assert "no authority's" in answer.json()["detail"]


def test_token_key_has_one_algorithm(registry: TestedRegistry) -> None:
    told = {"issuer": "fleet", "audience": "headwater"}
    public = {**told, "algorithm": "ES256", "public_key": made("tokens").public_key}
    assert registry.done("PUT", "/v1/jwt-keys/k1", public)["secret"] is None
    wrong = registry.ask("PUT", "/v1/jwt-keys/k1", {**public, "algorithm": "RS256"})
    assert "not one of RS256" in wrong.json()["detail"]
    assert registry.ask("PUT", "/v1/jwt-keys/k1", {**told, "algorithm": "ES256"}).is_client_error

    made_here = registry.done("PUT", "/v1/jwt-keys/k2", {**told, "algorithm": "HS256"})
    registry.follower.follow()
    body = registry.topic.held()[b"jwt_key/default/k2"].body
    assert isinstance(body, JwtKeyBody)
    assert body.secret is not None
    assert unseal(body.secret, RING, b"jwt_key/default/k2").decode() == made_here["secret"]
    registry.done("DELETE", "/v1/jwt-keys/k2")
    listed = registry.ask("GET", "/v1/jwt-keys").json()
    assert [one["kid"] for one in listed] == ["k1"]


@pytest.mark.parametrize(("bits", "is_taken"), [(1024, False), (2048, True)])
def test_key_of_rsa_has_as_many_bits_as_its_rfc_asks(
    registry: TestedRegistry, bits: int, is_taken: bool
) -> None:
    public = rsa.generate_private_key(65537, bits).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    told = {"issuer": "fleet", "audience": "headwater", "algorithm": "RS256", "public_key": pem}

    assert registry.ask("PUT", "/v1/jwt-keys/k1", told).is_success == is_taken


@pytest.mark.parametrize(
    ("role", "request_line", "status"),
    [
        ("viewer", "GET /v1/devices", 200),
        ("viewer", "PUT /v1/devices/m1", 403),
        ("viewer", "GET /v1/audit", 403),
        ("operator", "PUT /v1/devices/m1", 200),
        ("operator", "PUT /v1/products/meter", 403),
        ("operator", "GET /v1/audit", 200),
        ("admin", "PUT /v1/products/meter", 200),
        ("admin", "PUT /v1/tenants/acme", 403),
        ("admin", "GET /v1/devices?tenant=other", 403),
    ],
)
def test_role_says_what_a_key_may_do(
    registry: TestedRegistry, role: str, request_line: str, status: int
) -> None:
    key = registry.done("POST", "/v1/api-keys", {"role": role})["key"]
    method, path = request_line.split()
    body: dict[str, str] | None = {} if method == "PUT" else None
    assert registry.ask(method, path, body, key=str(key)).status_code == status


def test_key_that_is_none_revoked_or_over_is_refused(either: TestedRegistry) -> None:
    until = (NOW + timedelta(days=1)).isoformat()
    over = either.done("POST", "/v1/api-keys", {"role": "viewer", "valid_until": until})
    revoked = either.done("POST", "/v1/api-keys", {"role": "viewer"})
    either.done("DELETE", f"/v1/api-keys/{revoked['key_id']}")
    changed = str(over["key"])[:-1] + ("a" if str(over["key"])[-1] != "a" else "b")
    refused = ["", "hw_", "hw_x.y", "x", changed, str(revoked["key"])]
    assert either.ask("GET", "/v1/devices", key=str(over["key"])).status_code == 200
    either.clock.turn(timedelta(days=1))
    for key in [*refused, str(over["key"])]:
        answer = either.ask("GET", "/v1/devices", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 401, key
        assert answer.headers["www-authenticate"] == "Bearer"


def test_tenant_sees_nothing_of_another(either: TestedRegistry) -> None:
    either.done("PUT", "/v1/tenants/acme", {"lockout_failures": 3})
    either.done("PUT", "/v1/devices/m1?tenant=acme", {})
    either.meter("meter.m1")
    acme = str(either.done("POST", "/v1/api-keys?tenant=acme", {"role": "admin"})["key"])
    listed = either.ask("GET", "/v1/devices", key=acme).json()["devices"]
    assert [one["device_full"] for one in listed] == ["m1"]
    assert either.ask("GET", M1, key=acme).status_code == 404
    assert either.ask("GET", "/v1/products", key=acme).json() == []
    assert [one["tenant"] for one in either.ask("GET", "/v1/tenants", key=acme).json()] == ["acme"]
    assert {one["name"] for one in either.ask("GET", "/v1/audit", key=acme).json()} >= {"m1"}
    assert "meter.m1" not in either.ask("GET", "/v1/audit", key=acme).text
    theirs = str(either.done("POST", "/v1/api-keys", {"role": "viewer"})["key_id"])
    assert either.ask("DELETE", f"/v1/api-keys/{theirs}", key=acme).status_code == 404


def test_key_above_the_tenants_is_made_by_such_an_admin_alone(either: TestedRegistry) -> None:
    asked = {"role": "admin", "every_tenant": True}
    below = str(either.done("POST", "/v1/api-keys", {"role": "admin"})["key"])
    assert either.ask("POST", "/v1/api-keys", asked, key=below).status_code == 403

    made_here = either.done("POST", "/v1/api-keys", asked)

    me = either.ask("GET", "/v1/api-keys/me", key=str(made_here["key"])).json()
    assert (me["tenant"], me["role"]) == ("*", "admin")
    nowhere = either.ask("POST", "/v1/api-keys?tenant=nowhere", {"role": "viewer"})
    assert (nowhere.status_code, "'nowhere'" in nowhere.text) == (404, True)


def test_last_admin_above_the_tenants_cannot_be_revoked(either: TestedRegistry) -> None:
    first = either.done("GET", "/v1/api-keys/me")["key_id"]
    ends = (NOW.isoformat(), (NOW + timedelta(days=365)).isoformat())
    for short in ({"role": "viewer"}, *({"role": "admin", "valid_until": end} for end in ends)):
        either.done("POST", "/v1/api-keys", {"every_tenant": True, **short})
    refused = either.ask("DELETE", f"/v1/api-keys/{first}")
    assert (refused.status_code, "make one first" in refused.text) == (409, True)

    second = either.done("POST", "/v1/api-keys", {"role": "admin", "every_tenant": True})

    assert either.ask("DELETE", f"/v1/api-keys/{first}").status_code == 200
    last = f"/v1/api-keys/{second['key_id']}"
    assert either.ask("DELETE", last, key=str(second["key"])).status_code == 409


def test_audit_trail_says_who_did_what(either: TestedRegistry) -> None:
    either.meter("meter.m1")
    either.done("PATCH", M1, {"zone": "north"})
    trail = either.ask("GET", "/v1/audit?kind=device&name=meter.m1").json()
    me = either.done("GET", "/v1/api-keys/me")["key_id"]
    assert [(one["action"], one["actor"]) for one in trail] == [
        ("change", f"key:{me}"),
        ("add", f"key:{me}"),
    ]
    older = either.ask("GET", f"/v1/audit?before={trail[0]['edition']}&limit=1").json()
    assert older == trail[1:]


def test_audit_trail_shows_keys_above_the_tenants_to_those_above_alone(
    registry: TestedRegistry,
) -> None:
    wanted = {"role": "admin", "every_tenant": True}
    made_key = registry.done("POST", "/v1/api-keys", wanted)["key_id"]
    path = f"/v1/audit?kind=api_key&name={made_key}"

    seen = [(one["tenant"], one["action"]) for one in registry.ask("GET", path).json()]

    assert seen == [("*", "issue")]
    assert registry.ask("GET", path, key=registry.key("admin")).json() == []


def registration(secret: object, device: str = "m7") -> dict[str, str]:
    signed = f"deviceName{device}productKeymeterrandom12345678".encode()
    sign = hmac.new(str(secret).encode(), signed, hashlib.sha256).hexdigest().upper()
    return {"product_key": "meter", "device_name": device, "random": "12345678", "sign": sign}


def test_device_registers_itself_once_where_its_product_allows_it(either: TestedRegistry) -> None:
    either.meter()
    assert either.ask("POST", "/v1/register", registration("guess")).status_code == 403
    secret = either.done("POST", "/v1/products/meter/registration")["secret"]
    assert either.ask("POST", "/v1/register", registration("guess")).status_code == 403
    issued = either.done("POST", "/v1/register", registration(secret))
    assert issued["device_full"] == "meter.m7"
    assert either.ask("POST", "/v1/register", registration(secret)).status_code == 409
    either.done("DELETE", "/v1/products/meter/registration")
    assert either.ask("POST", "/v1/register", registration(secret, "m8")).status_code == 403


def test_who_may_not_connect_does_not_register_either(registry: TestedRegistry) -> None:
    registry.meter("meter.m7")
    secret = registry.done("POST", "/v1/products/meter/registration")["secret"]
    registry.done("POST", "/v1/devices/meter.m7/disable")
    disabled = registry.ask("POST", "/v1/register", registration(secret))
    assert (disabled.status_code, "is disabled" in disabled.text) == (409, True)

    registry.done("PUT", "/v1/tenants/default", {"is_disabled": True})
    assert registry.ask("POST", "/v1/register", registration(secret, "m8")).status_code == 403
    registry.done("PUT", "/v1/tenants/default", {})
    assert registry.ask("POST", "/v1/register", registration(secret, "m8")).status_code == 201
