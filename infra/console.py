"""The console that commands print their tables on."""

import sys
import unicodedata
from typing import TextIO

from rich.console import Console

NO_TERMINAL_WIDTH = 100_000


def table_console(out: TextIO | None = None) -> Console:
    """Return a console for results; what is no terminal gets lines as long as they are.

    Text is shown as it is: a unit may be `[degF]`, and a device be named by an address with `:ab:`
    in it. What is to have a style is a `Text`.
    """
    file = out or sys.stdout
    width = None if Console(file=file).is_terminal else NO_TERMINAL_WIDTH
    return Console(file=file, width=width, markup=False, emoji=False)


def visible(text: str) -> str:
    """Return a text with its control characters as escapes: a terminal would obey them."""
    if text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode("ascii") if _is_control(each) else each
        for each in text
    )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character != "\n"
