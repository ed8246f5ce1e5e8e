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
