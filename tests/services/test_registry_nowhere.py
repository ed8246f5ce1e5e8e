"""What would be believed of nobody is refused: tenants that are not there, a name that is taken."""

import pytest

from tests.services.certificates import made
from tests.services.registry_parts import TestedRegistry

TOKENS = {"issuer": "fleet", "audience": "headwater", "algorithm": "HS256"}


def test_tenant_that_is_not_there_believes_nothing(registry: TestedRegistry) -> None:
    before = registry.edition()
    authority = {"certificate": made("maker").pem}

    answers = [
        registry.ask("PUT", "/v1/jwt-keys/k1?tenant=nope", TOKENS),
        registry.ask("PUT", "/v1/authorities/maker?tenant=nope", authority),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert all("there is no tenant 'nope'" in answer.text for answer in answers)
    assert registry.edition() == before


@pytest.mark.parametrize(("kid", "status"), [("local", 422), ("local2", 200)])
def test_name_of_the_own_tools_key_is_taken(
    registry: TestedRegistry, kid: str, status: int
) -> None:
    answer = registry.ask("PUT", f"/v1/jwt-keys/{kid}", TOKENS)
    assert answer.status_code == status
