"""Times as people and programs spell them that keep to no ISO: 31.12.2024 18:00, 4 Mar 2024 …"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPELT = re.compile(
    r"""
    (?:[A-Za-z]{3,9},?\ )?
    (?: (?P<year>\d{4})(?P<sign>[-/.])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})
      | (?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<end>\d{4}|\d{2})
      | (?P<day_of>\d{1,2})[-/ ](?P<name_of>[A-Za-z]{3,9})[-/ ,]+(?P<year_of>\d{4})
      | (?P<name>[A-Za-z]{3,9})\.?\ +(?P<day_in>\d{1,2}),?\ (?P<year_in>\d{4}) )
    (?: [ T:,]+ (?P<hour>\d{1,2}) [:.] (?P<minute>\d{2})
        (?: [:.] (?P<second>\d{2}) (?: [.,] (?P<fraction>\d{1,9}) )? )?
        (?: \ ? (?P<half>[AaPp]) \.? [Mm] \.? )? )?
    (?: \ ? (?P<zone> Z | UTC | GMT | [+-]\d{2}:?\d{2} ) )?
    """,
    re.VERBOSE,
)
_CTIME = re.compile(
    r"(?:[A-Za-z]{3} +)?([A-Za-z]{3}) +(\d{1,2}) +(\d{2}:\d{2}:\d{2}) (?:(UTC|GMT) )?(\d{4})"
)
"""`Thu Jan  1 08:30:00 1970`, as programs in C write it."""
Parts = Mapping[str, str | None]
_LAST_OF_2000S = 68
"""As POSIX has it: 69 to 99 are of the last century."""


def spelt_time(text: str, *, month_first: bool) -> datetime:
    """Return the time, with a zone if it names one; raise `ValueError` for what is none."""
    found = _SPELT.fullmatch(_CTIME.sub(r"\1 \2 \5 \3 \4", text).strip())
    if found is None:
        raise ValueError("no date and time")
    part = found.groupdict()
    year, month, day = _date(part, month_first=month_first)
    hour, minute, second, micros = _clock(part)
    # Meters call midnight the end of the day that it ends.
    is_end = hour == 24 and not (minute or second or micros)
    hour = 0 if is_end else hour
    moment = datetime(year, month, day, hour, minute, second, micros, _zone(part["zone"]))
    try:
        return moment + timedelta(days=is_end)
    except OverflowError as error:
        raise ValueError(f"there is no day after {text}") from error


def _date(part: Parts, *, month_first: bool) -> tuple[int, int, int]:
    if part["year"]:
        return _whole(part, "year"), _whole(part, "month"), _whole(part, "day")
    if part["one"]:
        end, one, two = _whole(part, "end"), _whole(part, "one"), _whole(part, "two")
        if end < 100:
            end += 2000 if end <= _LAST_OF_2000S else 1900
        return (end, one, two) if month_first else (end, two, one)
    name = part["name_of"] or part["name"] or ""
    month = _MONTHS.index(name[:3].lower()) + 1
    return _whole(part, "year_of", "year_in"), month, _whole(part, "day_of", "day_in")


def _whole(part: Parts, *names: str) -> int:
    return int(next((text for name in names if (text := part[name])), 0))


def _clock(part: Parts) -> tuple[int, int, int, int]:
    hour = _whole(part, "hour")
    if half := part["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour} is no hour of half a day")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    micros = (part["fraction"] or "").ljust(6, "0")[:6]
    return hour, _whole(part, "minute"), _whole(part, "second"), int(micros)


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return UTC
    away = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-away if text[0] == "-" else away)


def spelt_order(texts: Sequence[str]) -> tuple[bool, bool] | None:
    """Return whether months stand before days and whether that is sure; None for other times.

    Where no number is above 12, the order by which the times lie closer together is taken.
    """
    orders = {first: _read(texts, month_first=first) for first in (False, True)}
    day_first, month_first = orders[False], orders[True]
    if max(len(day_first), len(month_first)) * 2 <= len(texts):
        return None
    if day_first == month_first:
        return False, True
    if len(day_first) != len(month_first):
        return len(month_first) > len(day_first), True
    spans = [max(times) - min(times) for times in (day_first, month_first)]
    return spans[1] < spans[0], False


def is_spelt(text: str) -> bool:
    """Return whether it is a time by one of both orders."""
    return any(_read([text], month_first=first) for first in (False, True))


def _read(texts: Sequence[str], *, month_first: bool) -> list[datetime]:
    found = []
    for text in texts:
        try:
            time = spelt_time(text, month_first=month_first)
        except ValueError:
            continue
        found.append(time if time.tzinfo else time.replace(tzinfo=UTC))
    return found
