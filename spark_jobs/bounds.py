"""Bounds of a file's values as Delta's statistics say them: what every reader understands."""

from datetime import date, datetime

LONGEST = 300
"""Signs of a text; a registered device's name has fewer. The log holds them for each file, and what
a record's key says of its sender may be a megabyte."""
_LAST_SIGN = "\U0010ffff"


def least(value: object) -> object:
    """Return a value that no value of the file is below, given the least of them."""
    return value[:LONGEST] if isinstance(value, str) else _plain(value)


def greatest(value: object) -> object:
    """Return a value that no value of the file is above, given the greatest of them."""
    if not isinstance(value, str):
        return _plain(value)
    return value if len(value) <= LONGEST else value[:LONGEST] + _LAST_SIGN


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        # Years before 1000 have four digits as well, which strftime leaves out.
        return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    return str(value) if isinstance(value, date) else value
