"""The console that commands print their tables on."""

import sys
from typing import TextIO

from rich.console import Console

NO_TERMINAL_WIDTH = 100_000


def table_console(out: TextIO | None = None) -> Console:
    """Return a console for results; what is no terminal gets lines as long as they are."""
    file = out or sys.stdout
    console = Console(file=file)
    return console if console.is_terminal else Console(file=file, width=NO_TERMINAL_WIDTH)
