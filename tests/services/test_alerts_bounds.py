"""What the alerts service reads of a request, and what its document says of that."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from services.problems import LARGEST_BODY, MEDIA_TYPE
from tests.services.alerts_http import Tested
from tests.services.endless import PIECE, asked_endlessly
from tests.services.registry_parts import TestedRegistry


@pytest.fixture
def tested(tmp_path: Path) -> Tested:
    return Tested(tmp_path)


@pytest.mark.parametrize("path", ["/v1/alerts", "/v1/silences", "/v1/tests"])
def test_body_of_a_stranger_is_not_read_to_its_end(tested: Tested, path: str) -> None:
    answer, read = asked_endlessly(tested.app, "POST", path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (413, MEDIA_TYPE)
    assert read <= LARGEST_BODY + PIECE


def test_documents_say_that_a_body_may_be_too_large(
    tested: Tested, registry: TestedRegistry
) -> None:
    assert _too_large(tested.app) == set()
    assert _too_large(registry.app) == set()


def _too_large(app: FastAPI) -> set[str]:
    """Return the operations with a body of which a document does not say so."""
    return {
        f"{method} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method, way in methods.items()
        if "requestBody" in way
        and MEDIA_TYPE not in way["responses"].get("413", {}).get("content", {})
    }
