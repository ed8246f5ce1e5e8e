"""Who is let in, by which credential, and who is not."""

from datetime import UTC, datetime
from math import nan

import jwt
import pytest

from gateway.authentication import PLAIN_TOKEN, REFUSED, Authentication, Development
from gateway.directory import Directory
from gateway.identity import Identity, Presented
from gateway.outcome import Rejected
from telemetry.changes import DeviceBody, JwtKeyBody, TenantBody
from telemetry.credentials import SDK_TIMESTAMP_MS
from telemetry.devices import Device
from telemetry.local_tokens import local_token
from telemetry.sealing import KeyRing, seal
from tests.gateway.entrances import EDITIONS, LOCAL_KEY, NOW, RING, House, enrol, house, signed

SECRET = b"secret"


def login(one: House, presented: Presented, now: float = NOW) -> Identity | Rejected:
    return one.entrance.login(presented, protocol="mqtt", now=now)


def by_secret(device: str = "pk.d1", secret: bytes = SECRET, **more: str) -> Presented:
    return Presented(*signed(device, secret, **more), address="10.0.0.1")


def enrolled(**options: object) -> House:
    one = house(**options)  # type: ignore[arg-type]
    enrol(one.directory, "pk.d1", SECRET)
    return one


def test_signed_password_lets_its_device_in() -> None:
    found = login(enrolled(), by_secret())

    assert found == Identity("default", "pk.d1", "credential/pk.d1/s1")


def test_unknown_device_and_wrong_signature_look_the_same() -> None:
    one = enrolled()

    assert login(one, by_secret(secret=b"wrong")) == REFUSED
    assert login(one, by_secret("pk.d9")) == REFUSED
    assert login(one, Presented()) == REFUSED


def test_secret_of_a_tenant_opens_that_tenants_device() -> None:
    one = enrolled()
    enrol(one.directory, "pk.d1", b"other", tenant="acme")

    found = login(one, by_secret(secret=b"other"))

    assert isinstance(found, Identity)
    assert found.tenant == "acme"


@pytest.mark.parametrize("ring", [None, KeyRing("k1", {"k1": bytes(32)})])
def test_secret_that_the_keys_do_not_open_lets_nobody_in_and_is_told_once(
    ring: KeyRing | None, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = Directory(ring)
    one = Authentication(directory)
    enrol(directory, "pk.d1", SECRET)
    sealed = seal(SECRET, RING, b"jwt_key/default/k")
    key = JwtKeyBody("HS256", "us", "gateway", secret=sealed)
    directory.apply(EDITIONS.change("jwt_key", "k", key))
    claims = {"sub": "pk.d1", "aud": "gateway", "iss": "us", "exp": NOW + 60}
    token = jwt.encode(claims, SECRET * 8, "HS256", headers={"kid": "k"})

    for shown in (by_secret(), by_secret("pk.d9"), Presented(password=token, is_tls=True)):
        assert one.authenticate(shown, now=NOW) == REFUSED

    told = capsys.readouterr().err
    assert told.count("HEADWATER_KEY_FILE") == 1


def test_secret_that_has_run_out_lets_nobody_in() -> None:
    one = house()
    enrol(one.directory, "pk.d1", SECRET, until=datetime.fromtimestamp(NOW, UTC))

    assert login(one, by_secret(), now=NOW + 1) == REFUSED
    found = login(one, by_secret(), now=NOW - 1)
    assert isinstance(found, Identity)
    assert found.expires_at == NOW


def test_constant_of_the_sdk_is_taken_over_tls_by_the_compatible_profile_alone() -> None:
    presented = by_secret(timestamp=str(SDK_TIMESTAMP_MS))
    over_tls = presented._replace(is_tls=True)
    compatible = enrolled(profile="compatible")

    assert isinstance(login(compatible, over_tls), Identity)
    assert isinstance(login(compatible, presented), Rejected)
    assert isinstance(login(enrolled(), over_tls), Rejected)


def test_disabled_device_is_not_let_in() -> None:
    one = enrolled()
    body = DeviceBody(Device("pk.d1"), is_disabled=True)
    one.directory.apply(EDITIONS.change("device", "pk.d1", body))

    assert login(one, by_secret()) == REFUSED


def test_who_fails_too_often_is_locked_out_for_a_while() -> None:
    one = enrolled()
    rule = TenantBody(lockout_failures=3, lockout_within_s=60, lockout_for_s=300)
    one.directory.apply(EDITIONS.change("tenant", "default", rule))
    for second in range(3):
        login(one, by_secret(secret=b"wrong"), now=NOW + second)

    locked = login(one, by_secret(), now=NOW + 3)
    assert isinstance(locked, Rejected)
    assert (locked.reason, locked.retry_after_s) == ("locked_out", 299.0)
    elsewhere = by_secret()._replace(address="10.0.0.2")
    assert isinstance(login(one, elsewhere, now=NOW + 3), Identity)
    assert isinstance(login(one, by_secret(), now=NOW + 303), Identity)


def test_older_change_is_not_taken_over() -> None:
    one = house()
    old = EDITIONS.change("device", "pk.d1", DeviceBody(Device("pk.d1")))
    enrol(one.directory, "pk.d1", SECRET)
    gone = EDITIONS.change("device", "pk.d1", None)
    one.directory.apply(gone)
    one.directory.apply(old)

    assert login(one, by_secret()) == REFUSED


def token(**changed: object) -> str:
    claims = {"sub": "pk.d1", "aud": "gw", "iss": "acme", "iat": NOW, "exp": NOW + 3600}
    algorithm = str(changed.pop("algorithm", "HS256"))
    key = changed.pop("key", "shared" * 8)
    return jwt.encode({**claims, **changed}, key, algorithm, {"kid": "k7"})  # type: ignore[arg-type]


def with_key(product: str | None = None, **options: object) -> House:
    one = enrolled(**options)
    sealed = seal(b"shared" * 8, RING, b"jwt_key/default/k7")
    body = JwtKeyBody("HS256", "acme", "gw", None, sealed, product)
    one.directory.apply(EDITIONS.change("jwt_key", "k7", body))
    return one


def by_token(text: str) -> Presented:
    return Presented("any", "pk.d1", text, address="10.0.0.1", is_tls=True)


def test_token_lets_its_subject_in_until_it_expires() -> None:
    found = login(with_key(), by_token(token()))

    assert isinstance(found, Identity)
    assert found[:4] == ("default", "pk.d1", "jwt_key/k7", NOW + 3600)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": NOW - 60},
        {"exp": NOW},
        {"exp": NOW + 25 * 3600},
        {"iat": NOW + 3600},
        {"aud": "other"},
        {"iss": "other"},
        {"sub": "pk.d9"},
        {"sub": "a/b"},
        {"key": "other" * 9},
        {"algorithm": "HS384"},
        {"nbf": NOW + 600},
        {"exp": nan},
        {"exp": NOW + 10**9, "iat": nan},
        {"nbf": nan},
        {"exp": 10**400},
        {"exp": str(NOW + 3600)},
        {"exp": True},
        {"nbf": NOW + 10**9},
    ],
)
def test_token_with_another_claim_lets_nobody_in(changed: dict[str, object]) -> None:
    assert login(with_key(), by_token(token(**changed))) == REFUSED


@pytest.mark.parametrize(("ahead_s", "is_let_in"), [(20, True), (60, False)])
def test_issuers_clock_may_be_a_little_ahead(ahead_s: int, is_let_in: bool) -> None:
    begins = NOW + ahead_s
    found = login(with_key(), by_token(token(iat=begins, nbf=begins)))
    assert isinstance(found, Identity) is is_let_in


def test_key_of_a_product_lets_no_other_products_device_in() -> None:
    assert login(with_key("other"), by_token(token())) == REFUSED
    assert isinstance(login(with_key("pk"), by_token(token())), Identity)


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", ""])
def test_token_that_others_may_overhear_is_refused(address: str) -> None:
    plain = by_token(token())._replace(is_tls=False, address=address)

    assert login(with_key(), plain) == PLAIN_TOKEN
    assert isinstance(
        login(with_key(development=Development(takes_plain_tokens=True)), plain), Identity
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_token_from_this_machine_needs_no_tls(address: str) -> None:
    plain = by_token(token())._replace(is_tls=False, address=address)

    assert isinstance(login(with_key(), plain), Identity)


def test_unsigned_token_lets_nobody_in() -> None:
    text = jwt.encode({"sub": "pk.d1"}, None, "none", {"kid": "k7"})  # type: ignore[arg-type]
    assert login(with_key(), by_token(text)) == REFUSED


def test_own_tools_speak_as_any_device_of_the_default_tenant() -> None:
    found = login(house(), by_token(local_token(LOCAL_KEY, "d5", now=NOW))._replace(is_tls=False))
    assert isinstance(found, Identity)
    assert (found.tenant, found.device_full) == ("default", "d5")
    assert login(house(), by_token(local_token(b"x" * 32, "d5", now=NOW))) == REFUSED


def test_ways_in_for_development_are_closed_by_default_and_over_tls() -> None:
    plain = Presented("d1", "d1", "token")

    assert login(house(), plain) == REFUSED
    assert isinstance(login(house(development=Development("token")), plain), Identity)
    assert login(house(development=Development("other")), plain) == REFUSED
    assert isinstance(login(house(is_anonymous=True), Presented("d1")), Identity)
    assert login(house(is_anonymous=True), plain._replace(is_tls=True)) == REFUSED
    assert login(house(is_anonymous=True), Presented("a b")) == REFUSED
