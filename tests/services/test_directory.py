"""Tokens of people and programs, as every service holds them against the keys that it knows."""

from math import inf, nan

import jwt
import pytest

from services.directory import Directory
from telemetry.changes import Change, ChangeKey, JwtKeyBody
from telemetry.sealing import seal
from tests.services.registry_parts import NOW, RING

SECRET = b"a secret that is long enough to sign"
AT = NOW.timestamp()


@pytest.fixture
def directory() -> Directory:
    found = Directory(RING)
    key = ChangeKey("jwt_key", "acme", "k1")
    body = JwtKeyBody("HS256", "portal", "headwater", secret=seal(SECRET, RING, key.encoded()))
    found.apply(Change(key, 1, NOW, body))
    return found


def token(**changes: object) -> str:
    claims = {"iss": "portal", "aud": "headwater", "scope": "query", "exp": AT + 600}
    return jwt.encode({**claims, **changes}, SECRET, "HS256", headers={"kid": "k1"})


def test_token_of_a_known_key_is_its_tenants(directory: Directory) -> None:
    found = directory.caller(token(nbf=int(AT)), NOW)
    assert found is not None
    assert (found.tenant, found.role) == ("acme", "viewer")


@pytest.mark.parametrize("moment", [nan, inf, 10**400, str(AT + 600), True, None, [AT]])
@pytest.mark.parametrize("claim", ["exp", "nbf"])
def test_time_that_is_none_makes_a_token_nobodys(
    directory: Directory, claim: str, moment: object
) -> None:
    assert directory.caller(token(**{claim: moment}), NOW) is None


def test_people_of_one_key_are_callers_of_their_own(directory: Directory) -> None:
    texts = [token(sub="anna"), token(sub="ben"), token(), token(sub="anna", jti="another")]
    callers = [directory.caller(text, NOW) for text in texts]
    anna, ben, nobody, anna_again = (caller.key_id if caller else None for caller in callers)
    assert len({anna, ben, nobody}) == 3
    assert anna == anna_again
    assert None not in {anna, ben, nobody}


def test_a_subject_takes_little_room_however_long_it_is(directory: Directory) -> None:
    found = directory.caller(token(sub="ä" * 10_000), NOW)
    assert found is not None
    assert len(found.key_id) < 100
    assert directory.caller(token(sub="\ud800"), NOW) is None
