"""Schedules: days of the week and times of day at which a rule is in force."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_DAY_MINUTES = 1440


class Schedule(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"start": "from", "end": "to"},
):
    """From a time of day up to another, on some days; one that ends earlier goes on past midnight.

    The part past midnight belongs to the day on which it began.
    """

    days: tuple[Day, ...] = DAYS
    start: str = "00:00"
    end: str = "24:00"

    def __post_init__(self) -> None:
        if not self.days:
            raise ValueError("days: must name at least one of mon … sun")
        for field, text in (("from", self.start), ("to", self.end)):
            if not _CLOCK.fullmatch(text):
                raise ValueError(f"{field}: {text!r} must be a time of day, 00:00 to 24:00")
        if self.start == self.end:
            raise ValueError(f"to: {self.end!r} must differ from `from`")

    def holds(self, weekday: int, minute: int) -> bool:
        """Say whether it holds at a minute of a day; Monday is 0."""
        first, last = _minute(self.start), _minute(self.end)
        if first < last:
            return DAYS[weekday] in self.days and first <= minute < last
        began = weekday if minute >= first else (weekday - 1) % 7
        return DAYS[began] in self.days and (minute >= first or minute < last)


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def zone_named(name: str) -> tzinfo:
    """Return a zone of the IANA database; raise `ValueError` for what is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"timezone: {name!r} is no zone: write one such as Europe/Berlin"
        ) from None


def offset_us(zone: tzinfo, at_us: int) -> int:
    """Return how far the zone's clocks are ahead of UTC at a time, in microseconds."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)
    ahead = moment.astimezone(zone).utcoffset()
    return 0 if ahead is None else ahead // timedelta(microseconds=1)
