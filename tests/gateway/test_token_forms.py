"""Tokens as other issuers write them: blanks in their header, claims of other types."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping

import pytest

from gateway.authentication import PLAIN_TOKEN, REFUSED
from gateway.identity import Identity, Presented
from gateway.tokens import is_token
from tests.gateway.entrances import NOW, House
from tests.gateway.test_authentication import by_token, login, with_key

SHARED = b"shared" * 8
HEADER = '{"alg":"HS256","kid":"k7"}'
CLAIMS: dict[str, object] = {
    "sub": "pk.d1", "aud": "gw", "iss": "acme", "iat": NOW, "exp": NOW + 3600
}  # fmt: skip


def part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def written(header: str = HEADER, claims: Mapping[str, object] = CLAIMS) -> str:
    """Return a token whose header stands as it is given, signed as HS256 asks."""
    signed = f"{part(header.encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.digest(SHARED, signed.encode(), 'sha256'))}"


def found(text: str, one: House | None = None) -> object:
    return login(one or with_key(), by_token(text))


@pytest.mark.parametrize(
    "header",
    [
        '{"typ":"JWT",\r\n "alg":"HS256", "kid":"k7"}',
        '{ "alg": "HS256", "kid": "k7" }',
        '{\n  "alg": "HS256",\n  "kid": "k7"\n}',
        '{\r\n\t"alg": "HS256", "kid": "k7"}',
        '{\t"alg": "HS256", "kid": "k7"}',
    ],
)
def test_blanks_in_a_header_are_no_fault_of_a_token(header: str) -> None:
    assert isinstance(found(written(header)), Identity)


@pytest.mark.parametrize("header", ["{", "[]", '"k7"', '{"alg":"HS256","kid":["k7"]}', "{}"])
def test_header_that_names_no_key_lets_nobody_in(header: str) -> None:
    assert found(written(header)) == REFUSED


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": 5},
        {"sub": ["pk.d1"]},
        {"sub": None},
        {"aud": ["other"]},
        {"aud": {"gw": 1}},
        {"iss": ["acme"]},
        {"iat": "now"},
        {"exp": True},
        {"exp": None},
    ],
)
def test_claim_of_another_type_lets_nobody_in(claims: dict[str, object]) -> None:
    assert found(written(claims=CLAIMS | claims)) == REFUSED


@pytest.mark.parametrize(
    ("claims", "is_taken"),
    [
        ({"exp": NOW + 24 * 3600}, True),
        ({"exp": NOW + 24 * 3600 + 1}, False),
        ({"iat": NOW - 23 * 3600, "exp": NOW + 2 * 3600}, False),
        ({"iat": NOW + 20, "exp": NOW + 20 + 24 * 3600}, True),
        ({"iat": None}, True),
        ({"iat": None, "exp": NOW + 24 * 3600 + 1}, False),
    ],
)
def test_token_is_for_a_day_at_most(claims: dict[str, object], is_taken: bool) -> None:
    text = written(claims={name: at for name, at in (CLAIMS | claims).items() if at is not None})
    assert isinstance(found(text), Identity) is is_taken


def test_token_for_several_audiences_is_taken_by_each() -> None:
    assert isinstance(found(written(claims=CLAIMS | {"aud": ["other", "gw"]})), Identity)


def test_token_with_blanks_that_others_may_overhear_is_refused_as_one() -> None:
    shown = Presented("any", "pk.d1", written('{ "alg":"HS256","kid":"k7"}'), None, "10.0.0.1")
    assert login(with_key(), shown) == PLAIN_TOKEN


@pytest.mark.parametrize("text", ["a.b.c", "6074A46A", "ey.a.b", "dev.token.1", "exam.ple.org", ""])
def test_ordinary_passwords_are_no_tokens(text: str) -> None:
    assert not is_token(text)
