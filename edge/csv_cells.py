"""Cells of CSV that a spreadsheet would work out: they stand behind an apostrophe."""

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet works out."""
QUOTE = "'"


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet works a text out; apostrophes of its own do not hide what it is."""
    return text.lstrip(QUOTE).startswith(FORMULAS)


def guarded(text: str) -> str:
    """Return a text as a cell that no spreadsheet works out."""
    return QUOTE + text if is_formula(text) else text
