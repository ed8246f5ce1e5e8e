"""Mute times: hours of the week in which only what is critical is told."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from services.alerts.configuration import DAYS, MuteTime

DAY = timedelta(days=1)


def is_muted(mute: MuteTime, now: datetime) -> bool:
    """Say whether a moment is within; a night belongs to the day on which it begins."""
    local = now.astimezone(mute.zone)
    today, clock = DAYS[local.weekday()], local.time().replace(tzinfo=None)
    yesterday = DAYS[(local.weekday() - 1) % len(DAYS)]
    if mute.start < mute.end:
        return today in mute.days and mute.start <= clock < mute.end
    if mute.start == mute.end == clock.min:
        return today in mute.days
    begins = today in mute.days and clock >= mute.start
    goes_on = yesterday in mute.days and clock < mute.end
    return begins or goes_on


def muted_by(names: Iterable[str], known: Mapping[str, MuteTime], now: datetime) -> str | None:
    """Return the first of the mute times that holds now."""
    return next((name for name in names if is_muted(known[name], now)), None)
