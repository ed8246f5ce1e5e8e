"""Round times along an axis."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

MOST = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800,
                    21_600, 43_200, 86_400, 2 * 86_400, 7 * 86_400)
)  # fmt: skip
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 12_000)


def time_ticks(first: datetime, last: datetime) -> list[tuple[float, str]]:
    """Return epoch seconds and labels of at most six round times between the two."""
    moments = _moments(first, last)
    if len(moments) < 2:
        moments = sorted({first, last})
    form = _form(moments)
    return [(moment.timestamp(), moment.strftime(form)) for moment in moments]


def _moments(first: datetime, last: datetime) -> list[datetime]:
    step = next((step for step in _STEPS if (last - first) / step <= MOST - 1), None)
    if step is None:
        return _months(first, last)
    start = _EPOCH - step * ((_EPOCH - first) // step)
    found = (start + step * number for number in range(MOST + 1))
    return [moment for moment in found if first <= moment <= last]


def _months(first: datetime, last: datetime) -> list[datetime]:
    """Return the starts of months, of every quarter, year, decade, as the span asks."""
    span = (last.year - first.year) * 12 + last.month - first.month
    every = next((step for step in _MONTHS if span / step <= MOST - 1), _MONTHS[-1])
    return [moment for moment in _month_starts(first, last, every) if first <= moment <= last]


def _month_starts(first: datetime, last: datetime, every: int) -> Iterator[datetime]:
    for month in range(first.year * 12, last.year * 12 + 12):
        if month % every == 0:
            yield datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _form(moments: list[datetime]) -> str:
    if any(moment.second or moment.microsecond for moment in moments):
        return "%H:%M:%S"
    if any(moment.hour or moment.minute for moment in moments):
        is_one_day = moments[0].date() == moments[-1].date()
        return "%H:%M" if is_one_day else "%m-%d %H:%M"
    return "%Y-%m-%d" if any(moment.day != 1 for moment in moments) else "%Y-%m"
