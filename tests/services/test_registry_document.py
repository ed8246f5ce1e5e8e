"""The registry's OpenAPI document and the registry agree, whatever is asked."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from services.registry.app import MODULES
from telemetry.rules.checks import KINDS
from tests.services.registry_parts import TestedRegistry

OPERATIONS = sorted(
    (route.path, method)
    for module in MODULES
    for route in module.router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestedRegistry]:
    home = tmp_path_factory.mktemp("registry")
    tested = TestedRegistry(home, f"sqlite:///{home / 'registry.db'}")
    tested.meter("meter.m1")
    yield tested
    tested.close()


@pytest.fixture(scope="module")
def document(registry: TestedRegistry) -> OpenApiSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", registry.app)


def test_document_has_no_other_operation(registry: TestedRegistry) -> None:
    described = {
        (path, method.upper())
        for path, methods in registry.app.openapi()["paths"].items()
        for method in methods
    }
    assert described == {*OPERATIONS, ("/health", "GET")}


def test_document_names_every_kind_of_check(document: OpenApiSchema) -> None:
    check = document.raw_schema["components"]["schemas"]["RuleIn"]["properties"]["check"]
    assert all(str(kind.__struct_config__.tag) in check["description"] for kind in KINDS)


@pytest.mark.parametrize(("path", "method"), [*OPERATIONS, ("/health", "GET")])
def test_every_answer_is_as_the_document_says(
    registry: TestedRegistry, document: OpenApiSchema, path: str, method: str
) -> None:
    key = {"Authorization": f"Bearer {registry.admin}"}

    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=document[path][method].as_strategy())
    def hold(case: "schemathesis.Case[Any]") -> None:
        # Whether a product is there, say, is in no schema.
        case.call_and_validate(headers=key, excluded_checks=[positive_data_acceptance])

    hold()
