"""Who fails too often waits: a device, a token, a certificate, or all of an address."""

import jwt
import pytest

from gateway.identity import Identity, Presented
from gateway.lockout import ADDRESS_FACTOR, LONGEST_NAME, suspect
from telemetry.changes import TenantBody
from telemetry.local_tokens import local_token
from tests.gateway.entrances import EDITIONS, LOCAL_KEY, NOW, House, enrol, house, signed

SECRET = b"secret"
MOST = 3
GOOD = Presented("", None, local_token(LOCAL_KEY, "pk.d1", now=NOW), None, "10.0.0.1")


def locking() -> House:
    one = house()
    enrol(one.directory, "pk.d1", SECRET)
    rule = TenantBody(lockout_failures=MOST, lockout_within_s=60, lockout_for_s=300)
    one.directory.apply(EDITIONS.change("tenant", "default", rule))
    return one


def bad_token(subject: str = "pk.d1") -> Presented:
    claims = {"sub": subject, "aud": "gw", "iss": "acme", "exp": NOW + 3600}
    text = jwt.encode(claims, b"wrong!" * 8, "HS256", {"kid": "k7"})
    return Presented("", None, text, None, "10.0.0.1")


def told(one: House, presented: Presented, now: float = NOW) -> str:
    """Return the reason of a refusal, `in` where there is none."""
    found = one.entrance.login(presented, protocol="http", now=now)
    return "in" if isinstance(found, Identity) else found.reason


def by_secret() -> Presented:
    return Presented(*signed("pk.d1", SECRET), address="10.0.0.1")


@pytest.mark.parametrize(
    "bad",
    [
        bad_token(),
        Presented("", None, "not.a.token", None, "10.0.0.1"),
        Presented("", None, None, b"rubbish", "10.0.0.1", True),
    ],
)
def test_bad_tokens_and_the_like_lock_themselves_out_and_nobody_else(bad: Presented) -> None:
    one = locking()
    reasons = [told(one, bad) for _ in range(MOST + 1)]

    assert reasons == ["not_authenticated"] * MOST + ["locked_out"]
    assert told(one, GOOD) == "in"
    assert told(one, by_secret()) == "in"


def test_address_is_locked_by_many_failures_whoever_comes_in_between() -> None:
    one = locking()

    for number in range(MOST * ADDRESS_FACTOR):
        assert told(one, GOOD) == "in"
        assert told(one, bad_token(f"pk.x{number}")) == "not_authenticated"

    assert told(one, GOOD) == "locked_out"
    assert told(one, by_secret()) == "locked_out"
    assert told(one, by_secret()._replace(address="10.0.0.2")) == "in"
    assert told(one, by_secret(), NOW + 300) == "in"


def test_datagrams_that_anybody_may_send_lock_nobody_out_elsewhere() -> None:
    one = locking()
    forged = Presented(*signed("pk.d1", b"wrong"), address="10.0.0.1", is_datagram=True)

    reasons = [told(one, forged) for _ in range(MOST * ADDRESS_FACTOR)]

    assert reasons[MOST] == "locked_out"
    assert told(one, by_secret()) == "in"


@pytest.mark.parametrize("device", ["pk.d1", "pk.d9"])
def test_known_and_unknown_devices_are_locked_out_alike(device: str) -> None:
    one = house()
    enrol(one.directory, "pk.d1", SECRET, tenant="acme")
    rule = TenantBody(lockout_failures=MOST, lockout_within_s=60, lockout_for_s=30)
    one.directory.apply(EDITIONS.change("tenant", "acme", rule, tenant="acme"))
    wrong = Presented(*signed(device, b"wrong"), address="10.0.0.1")

    reasons = [told(one, wrong) for _ in range(MOST + 1)]

    assert reasons == ["not_authenticated"] * MOST + ["locked_out"]


def test_name_that_a_stranger_gives_takes_little_memory() -> None:
    for presented in (Presented("x" * 60_000), bad_token("x" * 60_000)):
        assert len(suspect(presented).name) == LONGEST_NAME


def test_clock_that_is_set_back_locks_nobody_for_longer() -> None:
    one = locking()
    bad = bad_token()
    for _ in range(MOST):
        told(one, bad)

    back = NOW - 86_400
    assert told(one, bad, back) == "locked_out"
    assert told(one, bad, back + 299) == "locked_out"
    assert told(one, bad, back + 301) == "not_authenticated"


def test_failures_of_before_a_clock_was_set_back_are_of_another_time() -> None:
    one = locking()
    bad = bad_token()
    for _ in range(MOST - 1):
        told(one, bad)

    back = NOW - 86_400
    assert [told(one, bad, back + passed) for passed in (0, 1)] == ["not_authenticated"] * 2
