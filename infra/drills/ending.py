"""Signals that end a drill: whoever sends one, the fault is undone and the fleets end first."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C is an exception already; these end a process where it stands."""


@contextlib.contextmanager
def orderly() -> Iterator[None]:
    """Turn signals into an exit that passes through every `finally`; what is ignored stays so."""
    before = {number: signal.getsignal(number) for number in ENDS}
    for number in (number for number, handler in before.items() if handler != signal.SIG_IGN):
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def ignore() -> None:
    """Let nothing cut short what undoes a fault."""
    for number in (signal.SIGINT, *ENDS):
        signal.signal(number, signal.SIG_IGN)
