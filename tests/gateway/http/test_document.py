"""The gateway's OpenAPI document and its HTTP listener agree, whatever is asked."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gateway.http.app import http_app
from gateway.outlet import Headers, Settle
from telemetry.changes import TenantBody
from tests.gateway.entrances import EDITIONS, House, house
from tests.gateway.http.test_app import AUTH
from tests.gateway.outlets import MemoryOutlet


class PromptOutlet(MemoryOutlet):
    """Settles each record at once."""

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        super().send(topic, key, value, headers, settle)
        self.poll()


def _patient() -> House:
    """Return a house that locks nobody out: wrong credentials are asked for again and again."""
    one = house(is_anonymous=True, outlet=PromptOutlet())
    rule = TenantBody(lockout_failures=1_000_000)
    one.directory.apply(EDITIONS.change("tenant", "default", rule))
    return one


TELEMETRY = "/devices/{device}/telemetry"


@pytest.mark.parametrize("device", [None, "d1"])
def test_every_answer_is_as_the_document_says(device: str | None) -> None:
    app = http_app(_patient().entrance)
    operation = schemathesis.openapi.from_asgi("/openapi.json", app)[TELEMETRY]["POST"]
    statuses: set[int] = set()

    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def hold(case: "schemathesis.Case[Any]") -> None:
        if device is not None:
            case.path_parameters["device"] = device
        # What a line of NDJSON or CBOR must hold is in no schema.
        answer = case.call_and_validate(headers=AUTH, excluded_checks=[positive_data_acceptance])
        statuses.add(answer.status_code)

    hold()
    assert statuses & ({403} if device is None else {202, 422})


def test_schemes_that_operations_name_are_in_the_document() -> None:
    document = http_app(house().entrance).openapi()
    named = document["paths"][TELEMETRY]["post"]["security"]
    assert {name for each in named for name in each} == set(
        document["components"]["securitySchemes"]
    )


def test_health_is_as_the_document_says() -> None:
    app = http_app(house().entrance)
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    assert set(app.openapi()["paths"]) == {TELEMETRY, "/health"}
    document["/health"]["GET"].Case().call_and_validate()
