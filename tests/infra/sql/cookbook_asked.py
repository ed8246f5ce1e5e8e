"""Statements of the cookbook, asked of a lake without limits."""

import re

import polars as pl
import pytest

from infra.sql.light_engine import query_light
from telemetry.settings import Settings
from tests.infra.sql import cookbook_page

TITLES = sorted(cookbook_page.statements().keys() - cookbook_page.OF_ALL_TENANTS)


def unlimited(title: str) -> str:
    """Return a statement without its limit."""
    return re.sub(r"\nlimit \d+$", "", cookbook_page.statements()[title])


def asked(settings: Settings, statement: str) -> pl.DataFrame:
    """Return the answer to a statement, less what changes from one second to the next."""
    found = query_light(settings, statement)
    rows = [list(row) for row in found.rows]
    columns = list(found.columns)
    frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    if "gap_s" in columns:
        frame = frame.with_columns(pl.when(pl.col("until").is_not_null()).then("gap_s"))
    return frame.drop("age_s", strict=False)


def nearly(row: tuple[object, ...]) -> tuple[object, ...]:
    """Return a row whose numbers may differ by the order in which they were added up."""
    return tuple(pytest.approx(one) if isinstance(one, float) else one for one in row)
