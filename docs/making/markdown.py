"""Pieces of Markdown that generated pages are put together from."""

import re
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(text: str) -> str:
    """Return text as it may stand in a cell: one line, nothing of it taken for a mark."""
    line = " ".join(text.split())
    return re.sub(r"([|<>*_\[\]])", r"\\\1", line)


def anchor(heading: str) -> str:
    """Return the name of a heading's place, as the site makes it."""
    plain = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
    return re.sub(r"[-\s]+", "-", plain)
