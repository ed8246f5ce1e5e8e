"""Tables as SQL sees them: Trino's names of types, and what a misspelt table may have meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from telemetry.tables import Type

TRINO_TYPES: dict[Type, str] = {
    "string": "varchar",
    "long": "bigint",
    "int": "integer",
    "double": "double",
    "boolean": "boolean",
    "timestamp": "timestamp(3) with time zone",
    "date": "date",
    "binary": "varbinary",
    "map<string,string>": "map(varchar, varchar)",
    "map<string,binary>": "map(varchar, varbinary)",
    "map<int,long>": "map(integer, bigint)",
    "array<reason>": "array(row(field varchar, rule varchar, value varchar))",
}


def no_such_table(complaint: str, known: Iterable[str]) -> str:
    """Return the table that a complaint's quoted name is near to, or all that there are."""
    names = sorted(known)
    if not names:
        return "there are no tables yet: the streams make them when they start"
    quoted = re.search(r"'([^']+)'", complaint)
    asked = quoted.group(1).removeprefix("lake.") if quoted else ""
    near = get_close_matches(asked, names, n=2, cutoff=0.6)
    near = near or [name for name in names if name.split(".")[1] == asked.split(".")[-1]]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(names)}"
