"""Where a viewer was: up to which version of which table it has windows, and how new they were."""

import re
from typing import NamedTuple
from zlib import crc32

from services.query.live.channel import Subject

_FORM = re.compile(r"(-?\d{1,12})-(-?\d{1,18})-([0-9a-f]{8})")


class Cursor(NamedTuple):
    """A table's version, -1 without one, and a window's newest end in microseconds since 1970."""

    version: int
    end_us: int


def cursor_text(cursor: Cursor, subject: Subject) -> str:
    """Return a cursor as a viewer gives it back."""
    return f"{cursor.version}-{cursor.end_us}-{_mark(subject)}"


def read_cursor(text: str, subject: Subject) -> Cursor | None:
    """Return a cursor of this subject; None: of another one, or none at all."""
    found = _FORM.fullmatch(text)
    if found is None or found[3] != _mark(subject):
        return None
    return Cursor(int(found[1]), int(found[2]))


def _mark(subject: Subject) -> str:
    return f"{crc32(repr(tuple(subject)).encode()):08x}"
