"""The statements of docs/sql.md, by the headings that they stand under."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "sql.md"
OF_ALL_TENANTS = {"Whether every message is accounted for"}
"""What is asked of records as Kafka has them, before it is known whose they are."""
_RECIPE = re.compile(r"^### (?P<title>.+?)\n(?P<text>.*?)```sql\n(?P<sql>.*?)\n```", re.M | re.S)
_PYTHON = re.compile(r"```python\n(.*?)\n```", re.S)


def statements() -> dict[str, str]:
    """Return each statement under its title."""
    found = list(_RECIPE.finditer(PAGE.read_text("utf-8")))
    named = {match["title"]: match["sql"] for match in found}
    assert len(named) == len(found), "two questions have one title"
    assert all(match["text"].strip() for match in found), "a question is not explained"
    return named


def python_example() -> str:
    """Return the page's Python program."""
    (program,) = _PYTHON.findall(PAGE.read_text("utf-8"))
    return str(program)
