"""Times as files write them: ISO, spelt, epoch numbers, counters from a start, one's own format."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from infra.publish.options import TimeOptions, TimeUnit
from infra.publish.rows import Cell
from infra.publish.spelt_times import is_spelt, spelt_order, spelt_time
from telemetry.errors import HeadwaterError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NANOSECONDS: dict[TimeUnit, int] = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_EPOCH_FROM: tuple[tuple[float, TimeUnit], ...] = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"))
_LEAST_EPOCH_S = 1e8
_COMPACT = {"%Y%m%d%H%M%S": 14, "%Y%m%d%H%M": 12}
_FOUR_DIGITS = re.compile(r"\d{4}")
_YEARS = range(1970, 2101)
"""Numbers of these lengths are times of these years, or epochs."""

ReadTime = Callable[[Mapping[str, Cell]], str]
"""Returns the row's time as ISO in UTC; raises `ValueError` that says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How the times of a file are written, and the words for it."""

    options: TimeOptions
    shown: str
    month_first: bool | None = None
    """Of times that are no ISO (`spelt_times`); None for others."""


def guess_time_form(options: TimeOptions, sample: Sequence[Cell]) -> TimeForm:
    """Guess from sampled times whether they are numbers and in which unit."""
    zone = options.zone
    if options.format:
        return TimeForm(options, f"{options.format}, {zone}")
    numbers = [number for cell in sample if (number := _number(cell)) is not None]
    unit = options.unit
    if unit is None and len(numbers) * 2 > len(sample):
        if options.start is None and (compact := _compact_format(numbers)):
            return TimeForm(replace(options, format=compact), f"{compact}, {zone}")
        unit = _epoch_unit(sorted(numbers)[len(numbers) // 2], options)
    if unit is None:
        return _written(options, [str(cell).strip() for cell in sample])
    since = options.start.isoformat(sep=" ") if options.start else "1970"
    return TimeForm(replace(options, unit=unit), f"{unit} since {since}")


def _written(options: TimeOptions, texts: Sequence[str]) -> TimeForm:
    where = f"{options.zone} where it names no zone"
    is_iso = sum(map(_is_iso, texts)) * 2 > len(texts)
    order = None if is_iso else spelt_order(texts)
    if order is None:
        return TimeForm(options, f"ISO 8601, {where}")
    month_first, is_sure = order
    shown = f"{'month before day' if month_first else 'day before month'}, {where}"
    doubt = "" if is_sure else "; it may be the other way: --time-format"
    return TimeForm(options, shown + doubt, month_first)


def _compact_format(numbers: Sequence[Decimal]) -> str | None:
    """Return the format of dates and times without signs between, `20120210083000`."""
    texts = [str(number) for number in numbers]
    for pattern, length in _COMPACT.items():
        if sum(_fits(text, pattern, length) for text in texts) * 2 > len(texts):
            return pattern
    return None


def _fits(text: str, pattern: str, length: int) -> bool:
    try:
        year = datetime.strptime(text, pattern).replace(tzinfo=UTC).year
    except ValueError:
        return False
    return len(text) == length and year in _YEARS


def _epoch_unit(middle: Decimal, options: TimeOptions) -> TimeUnit | None:
    if _is_basic_date(middle):
        return None
    if options.start is not None or middle < _LEAST_EPOCH_S:
        raise HeadwaterError(
            f"the times of {', '.join(options.columns)} are numbers such as {middle}, no epoch:"
            " say --time-unit s|min|h|d and --time-start, or leave the time out with --no-time"
        )
    return next((unit for least, unit in _EPOCH_FROM if middle >= least), "s")


def _is_basic_date(number: Decimal) -> bool:
    try:
        datetime.strptime(str(number), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return len(str(number)) == 8


def _number(cell: Cell) -> Decimal | None:
    if isinstance(cell, bool):
        return None
    try:
        number = Decimal(str(cell).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def time_reader(form: TimeForm) -> ReadTime:
    """Return a function that reads the time of a row in this form."""
    options = form.options
    columns = options.columns
    if options.unit is not None:
        return _counted(columns[0], NANOSECONDS[options.unit], options.start or EPOCH)
    zone = _zone(options.zone)
    parse = _parse(form)

    def read(cells: Mapping[str, Cell]) -> str:
        text = " ".join([_text(cells, column) for column in columns])
        try:
            moment = parse(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is no time ({form.shown})") from error
        return _iso(moment, zone)

    return read


def _parse(form: TimeForm) -> Callable[[str], datetime]:
    if form.options.format:
        return _strptime(form.options.format)
    if form.month_first is not None:
        return partial(spelt_time, month_first=form.month_first)
    return _iso_time


def _iso_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        if not text[:4].isdigit():
            raise
        return spelt_time(text, month_first=False)


def _strptime(pattern: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, pattern)  # noqa: DTZ007 (zone is added after)


def _text(cells: Mapping[str, Cell], column: str) -> str:
    cell = cells.get(column)
    text = "" if cell is None else str(cell).strip()
    if not text:
        raise ValueError(f"no time in {column}")
    return text


def _iso(moment: datetime, zone: tzinfo) -> str:
    if moment.tzinfo is None:
        if zone is UTC:
            return moment.isoformat() + "Z"
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError as error:
        raise ValueError(f"{moment} is out of range in UTC") from error


def _counted(column: str, nanoseconds: int, start: datetime) -> ReadTime:
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)

    def read(cells: Mapping[str, Cell]) -> str:
        text = _text(cells, column)
        number = _number(text)
        if number is None:
            raise ValueError(f"{text!r} is no number ({column})")
        try:
            moment = start + timedelta(microseconds=int(number * nanoseconds // 1000))
        except (OverflowError, InvalidOperation) as error:
            raise ValueError(f"{column} {text} is out of range") from error
        return _iso(moment, UTC)

    return read


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise HeadwaterError(f"--time-zone {name!r} is no zone: write Europe/Berlin") from error


def looks_like_time(cells: Sequence[Cell], *, is_named_so: bool) -> bool:
    """Return whether most cells are times; bare numbers only in a column that is named so."""
    texts = [str(cell).strip() for cell in cells]
    times = sum(1 for text in texts if _is_written(text, is_named_so) and not text.isdigit())
    epochs = sum(1 for text in texts if is_named_so and _is_epoch(text))
    return len(texts) > 0 and (times + epochs) * 2 > len(texts)


def _is_written(text: str, is_named_so: bool) -> bool:
    """Return whether it is a time with signs; one with two digits of a year needs the name."""
    if _is_iso(text):
        return True
    return (is_named_so or bool(_FOUR_DIGITS.search(text))) and is_spelt(text)


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_epoch(text: str) -> bool:
    number = _number(text)
    return number is not None and (number >= _LEAST_EPOCH_S or _is_basic_date(number))
