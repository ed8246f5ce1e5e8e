"""Write `docs/tables.md` from the declarations: `python -m infra.tables_page`."""

from pathlib import Path

from telemetry.tables import TABLES, Table
from telemetry.topics import TOPICS

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"
HEAD = """# Tables and topics

Generated from `telemetry/tables/` and `telemetry/topics.py` by `make docs`; edit those.

Times are UTC in microseconds. Trino shows them in milliseconds, so joins and proofs use
`event_time_us`. Names work in SQL as they stand here: `select * from silver.readings`.
"""


def page() -> str:
    """Return the whole page."""
    tables = "\n".join(_section(table) for table in TABLES)
    return f"{HEAD}\n{tables}\n{_topics()}"


def _section(table: Table) -> str:
    rows = "\n".join(
        f"| `{column.name}` | {column.type} | {column.meaning}"
        f"{f' ({column.unit})' if column.unit else ''} |"
        for column in table.columns
    )
    facts = [f"Key: {_names(table.key)}."]
    if table.partition_by:
        facts.append(f"Partitions: {_names(table.partition_by)}.")
    kept = "by the product's retention class" if table.retention == "class" else table.retention
    facts.append(f"Kept: {kept}.")
    head = "| column | type | meaning |\n|---|---|---|"
    return f"## {table.name}\n{table.description}\n\n{' '.join(facts)}\n\n{head}\n{rows}\n"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _topics() -> str:
    rows = "\n".join(
        f"| `{topic.name}` | {topic.partitions} | {topic.meaning} |" for topic in TOPICS
    )
    return f"## Kafka topics\n| topic | partitions | what |\n|---|---|---|\n{rows}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
