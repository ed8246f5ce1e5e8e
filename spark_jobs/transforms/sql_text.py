"""Values as text of Spark SQL: an expression that is one text is one call of the JVM.

Made of columns it is hundreds of calls, each of which waits for its turn on busy cores.
"""


def text(value: str) -> str:
    """Return a text as a literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def double(value: float) -> str:
    """Return a number as a literal of type double."""
    return f"{float(value)!r}D"
