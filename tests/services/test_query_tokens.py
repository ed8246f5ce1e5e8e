"""Tokens of people: which are believed, what they read, and how often they may ask."""

from pathlib import Path

import jwt
import pytest

from telemetry.changes import JwtKeyBody
from telemetry.sealing import seal
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.query_parts import NOW, TestedQueries
from tests.services.test_query_service import ASKED, HOUR, START

SECRET = b"a secret that is long enough to sign"


def token(**changes: object) -> str:
    claims = {"iss": "portal", "aud": "headwater", "scope": "query", "sub": "anna",
              "exp": NOW.timestamp() + 600}  # fmt: skip
    claims |= changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, SECRET, "HS256", headers={"kid": "k1"})


def with_key(queries: TestedQueries) -> TestedQueries:
    """Tell of the key of a tenant's tokens."""
    secret = seal(SECRET, queries.ring, b"jwt_key/other/k1")
    body = JwtKeyBody("HS256", "portal", "headwater", secret=secret)
    queries.tell("jwt_key", "other", "k1", body)
    return queries


@pytest.fixture
def with_tokens(tmp_path: Path) -> TestedQueries:
    lake = TestLake(tmp_path / "lake")
    rows = [Reading(START + n * HOUR // 4, n / 7) for n in range(96)]
    lake.land(
        numbered([*rows, *(Reading(START + n * HOUR, 5.0, tenant="other") for n in range(3))])
    )
    return with_key(TestedQueries(tmp_path))


def test_token_reads_its_tenant(with_tokens: TestedQueries) -> None:
    assert with_tokens.json("/v1/query", key=token(), **ASKED)["points_in"] == 3
    answer = with_tokens.ask("/v1/query", key=token(), tenant="default", **ASKED)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"aud": "devices"},
        {"exp": None},
        {"exp": NOW.timestamp() - 3600},
        {"nbf": NOW.timestamp() + 3600},
        {"scope": None},
        {"scope": "querying"},
    ],
)
def test_token_must_hold_in_every_claim(
    with_tokens: TestedQueries, wrong: dict[str, object]
) -> None:
    assert with_tokens.ask("/v1/latest", key=token(**wrong)).status_code == 401


def test_one_person_of_a_key_does_not_use_up_what_others_may_ask(tmp_path: Path) -> None:
    TestLake(tmp_path / "lake").land([Reading(START, 5.0, tenant="other")])
    queries = TestedQueries(tmp_path, query_rate=1.0, query_burst_s=2.0)
    with_key(queries)
    answers = [queries.ask("/v1/latest", key=token()).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert queries.ask("/v1/latest", key=token(sub="ben")).is_success


def test_token_must_be_signed_by_the_keys_one_algorithm(with_tokens: TestedQueries) -> None:
    claims = jwt.decode(token(), options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", "none", headers={"kid": "k1"})
    other = jwt.encode(claims, SECRET * 2, "HS512", headers={"kid": "k1"})
    for text in (unsigned, other):
        assert with_tokens.ask("/v1/latest", key=text).status_code == 401


def test_key_of_one_products_devices_signs_for_nobody_else(with_tokens: TestedQueries) -> None:
    secret = seal(SECRET, with_tokens.ring, b"jwt_key/other/k1")
    body = JwtKeyBody("HS256", "portal", "headwater", secret=secret, product="meter")
    with_tokens.tell("jwt_key", "other", "k1", body)
    assert with_tokens.ask("/v1/latest", key=token()).status_code == 401
