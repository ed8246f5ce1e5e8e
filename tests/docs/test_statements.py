"""SQL that the docs show beside the cookbook is answered, over tables as they are declared."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.sql.light_engine import query_light
from telemetry.settings import Settings
from tests.infra.sql.seeded_lake import seed

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r'headwater sql "([^"…]+)"')
SPAN = re.compile(r"`(select [^`…]+)`")
BLOCK = re.compile(r"```sql\n(.+?)```", re.S)


def statements() -> Iterator[tuple[str, str]]:
    """Yield each page's name with a statement of it; Trino's own tables are not in the lake."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]:
        text, forms = page.read_text("utf-8"), [COMMAND, SPAN]
        if page.name != "sql.md":  # whose answers are compared elsewhere
            text = re.sub(r"^ {3}", "", text, flags=re.M)
            forms.append(BLOCK)
        for statement in (each for form in forms for each in form.findall(text)):
            if " system." not in statement:
                yield page.name, statement


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("statements")
    seed(home / "lake")
    return Settings(home=home)


@pytest.mark.parametrize(("page", "statement"), sorted(set(statements())))
def test_statement_is_answered(settings: Settings, page: str, statement: str) -> None:
    assert list(query_light(settings, statement).rows) is not None, page


def test_statements_of_many_pages_are_found() -> None:
    assert {"README.md", "first-device.md", "your-dashboard.md", "clock-skew.md"} <= {
        page for page, _ in statements()
    }
