"""Looks at a table's log that may come in the middle of a commit."""

import time
from collections.abc import Callable
from typing import TypeVar

from deltalake.exceptions import DeltaError

TRIES = 20
PAUSE_S = 0.05
_AHEAD = "CRC file version"
Seen = TypeVar("Seen")


def seen(look: Callable[[], Seen]) -> Seen:
    """Return what a look at a log finds; look again where it saw half of a commit.

    A folder is not listed at one moment: a version's checksum may be seen, and its entry, which was
    there before, not. delta-rs's kernel takes that for an error of its own.
    """
    for _ in range(TRIES - 1):
        try:
            return look()
        except DeltaError as error:
            if _AHEAD not in str(error):
                raise
        time.sleep(PAUSE_S)
    return look()
