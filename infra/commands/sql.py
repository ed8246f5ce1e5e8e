"""`headwater sql`: asks the tables."""

import sys
from typing import TextIO

import click

from infra.sql.formats import Format, write
from infra.sql.light_engine import query_light
from infra.sql.result import Result
from infra.sql.trino_engine import query_trino
from infra.stack import read_stack
from infra.trino.registration import lake_of, served_lake
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater sql "select count(*) from silver.readings"
  headwater sql "select * from gold.device_minute limit 5" --format json
  headwater sql -f questions.sql --format csv > answers.csv
  echo "show tables from gold" | headwater sql -
"""


@click.command(epilog=EXAMPLES)
@click.argument("query", required=False)
@click.option("-f", "--file", "file", type=click.File(encoding="utf-8"), help="A file to read.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="JSON: an array of objects.",
)
def sql(query: str | None, file: TextIO | None, form: Format) -> None:
    """Ask the tables: through Trino, or with the light stack by the same SQL over the files.

    QUERY may be `-` for standard input. Times are UTC with six digits, bytes are base64. In CSV a
    text that a spreadsheet would take for a formula stands behind an apostrophe.
    """
    if (query is None) == (file is None):
        raise click.UsageError("give a query, `-` for standard input, or -f FILE")
    wanted = _given(query, file).strip().rstrip(";").rstrip()
    if not wanted:
        raise click.UsageError("the query is empty")
    write(answer(Settings(), wanted), form, sys.stdout)


def _given(query: str | None, file: TextIO | None) -> str:
    """Return the query's text, from where it is."""
    source = file or (sys.stdin if query == "-" else None)
    if source is None:
        return query or ""
    try:
        return source.read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise HeadwaterError(f"{source.name} is no text in UTF-8: {error.reason}") from error


def answer(settings: Settings, query: str) -> Result:
    """Run a query by the engine of the home's stack; over another lake by the light one."""
    stack = read_stack(settings.home)
    if stack is None:
        raise HeadwaterError(
            f"no stack was started in {settings.home}: headwater up, or set HEADWATER_HOME"
        )
    is_light = stack.mode == "light" or _is_elsewhere(settings)
    return (query_light if is_light else query_trino)(settings, query)


def _is_elsewhere(settings: Settings) -> bool:
    """Tell whether another lake is asked by name than Trino serves: what a replay made, say."""
    served = served_lake(settings)
    return bool(settings.lake) and served is not None and served != lake_of(settings)
