"""The layout of a file: which column is what, guessed from names and sampled rows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infra.publish.cells import guess_type
from infra.publish.options import MetricOptions, PublishOptions
from infra.publish.rows import Cell, Row
from infra.publish.times import TimeForm, guess_time_form, looks_like_time
from telemetry.errors import HeadwaterError
from telemetry.products import MetricType

DEVICE_NAMES = (
    "device", "deviceid", "devicename", "devicefull", "sensor", "sensorid", "meter", "meterid",
    "customerid", "machine", "machineid", "station", "stationid", "asset", "assetid", "moteid",
    "nodeid", "unitid", "engineid",
)  # fmt: skip
TIME_NAMES = (
    "ts", "timestamp", "eventtime", "devicetime", "datetime", "time", "date", "measuredat",
    "recordedat", "createdat", "utc", "epoch",
)  # fmt: skip
_TIME_UNITS = ("s", "ms", "us", "ns", "sec", "seconds", "utc")
_CLOCK = re.compile(r"\d:\d\d|[T ]\d")
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?|\d{2}\.\d{2}\.\d{2}")
LAT_NAMES = ("lat", "latitude")
LNG_NAMES = ("lng", "lon", "long", "longitude")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column is what; no `device_column` means that the whole file is of one device."""

    device_column: str | None
    time: TimeForm | None
    metrics: Mapping[str, MetricType]
    boot_column: str | None = None
    seq_column: str | None = None
    lat_column: str | None = None
    lng_column: str | None = None
    left_out: tuple[str, ...] = ()


def guess_layout(
    columns: Sequence[str],
    rows: Sequence[Row],
    options: PublishOptions,
    *,
    decimal_comma: bool = False,
) -> Layout:
    """Guess the role of each column that no option names."""
    _check_named(columns, options)
    free = [name for name in columns if name and name not in options.metric.columns]
    device = options.device_column or (None if options.device else _first(free, DEVICE_NAMES))
    free = [name for name in free if name != device]
    # A table's index often has no name.
    time = _time([*free, ""] if columns.count("") == 1 else free, rows, options)
    free = [name for name in free if time is None or name not in time.options.columns]
    places = (_first(free, LAT_NAMES), _first(free, LNG_NAMES))
    lat, lng = places if None not in places else (None, None)
    boot, seq = _first(free, ("boot",)), _first(free, ("seq",))
    roles = {device, boot, seq, lat, lng}
    metrics = list(options.metric.columns) or [name for name in free if name not in roles]
    types = _types(metrics, rows, options.metric, decimal_comma)
    used = {*types, *roles, *(time.options.columns if time else ())}
    return Layout(
        device_column=device,
        time=time,
        metrics=types,
        boot_column=boot,
        seq_column=seq,
        lat_column=lat,
        lng_column=lng,
        left_out=tuple(name or "(no name)" for name in columns if name not in used),
    )


def _check_named(columns: Sequence[str], options: PublishOptions) -> None:
    named = [*options.metric.columns, *options.time.columns]
    if options.device_column:
        named.append(options.device_column)
    for name in named:
        if name not in columns:
            raise HeadwaterError(
                f"there is no column {name!r}; the columns are {', '.join(filter(None, columns))}"
            )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _first(columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the column whose name stands first in `wanted`."""
    by_name = {_plain(name): name for name in reversed(columns)}
    return next((by_name[name] for name in wanted if name in by_name), None)


def _time(columns: Sequence[str], rows: Sequence[Row], options: PublishOptions) -> TimeForm | None:
    time = options.time
    if time.is_left_out:
        return None
    named = time.columns or _time_columns(columns, rows)
    if not named:
        return None
    sample: list[Cell] = _joined(rows, named)
    if len(named) == 1:
        sample = [cell for row in rows if (cell := _filled(row, named[0])) is not None]
    return guess_time_form(replace(time, columns=tuple(named)), sample)


def _time_columns(columns: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    date, time = _first(columns, ("date",)), _first(columns, ("time",))
    if date and time and looks_like_time(_joined(rows, (date, time)), is_named_so=True):
        return (date, time)
    for name in sorted(columns, key=_time_rank):
        cells = [cell for row in rows if (cell := _filled(row, name)) is not None]
        if looks_like_time(cells, is_named_so=time_name(name) is not None):
            clock = None if any(map(_has_clock, cells)) else _clock_column(columns, rows)
            return (name, clock) if clock else (name,)
    return ()


def _has_clock(cell: Cell) -> bool:
    return _CLOCK.search(str(cell)) is not None or str(cell).strip().isdecimal()


def _clock_column(columns: Sequence[str], rows: Sequence[Row]) -> str | None:
    """Return the column of times of day that stands beside one of dates."""
    for name in columns:
        cells = [str(cell).strip() for row in rows if (cell := _filled(row, name)) is not None]
        if cells and all(_TIME_OF_DAY.fullmatch(cell) for cell in cells):
            return name
    return None


def _joined(rows: Sequence[Row], columns: Sequence[str]) -> list[Cell]:
    return [" ".join(str(row.cells.get(name)).strip() for name in columns) for row in rows]


def _time_rank(name: str) -> int:
    found = time_name(name)
    return len(TIME_NAMES) if found is None else TIME_NAMES.index(found)


def time_name(name: str) -> str | None:
    """Return which of `TIME_NAMES` a column has, with or without a unit: `timestamp_ms`."""
    plain = _plain(name)
    core = plain.removeprefix("unix")
    parts = (plain, core, *(core.removesuffix(unit) for unit in _TIME_UNITS))
    return next((part for part in parts if part in TIME_NAMES), None)


def _filled(row: Row, column: str) -> Cell | None:
    cell = row.cells.get(column)
    return None if cell is None or (isinstance(cell, str) and not cell.strip()) else cell


def _types(
    metrics: Sequence[str], rows: Sequence[Row], options: MetricOptions, decimal_comma: bool
) -> dict[str, MetricType]:
    types: dict[str, MetricType] = {}
    for name in metrics:
        cells = [cell for row in rows if (cell := row.cells.get(name)) not in options.missing]
        if name in options.types:
            types[name] = options.types[name]
        elif not any(isinstance(cell, list) for cell in cells):
            types[name] = guess_type(cells, decimal_comma=decimal_comma)
    return types
