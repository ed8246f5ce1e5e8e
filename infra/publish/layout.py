"""The layout of a file: which column is what, guessed from names and sampled rows."""

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
    time = _time(free, rows, options)
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
    sample: list[Cell] = []
    if len(named) == 1:
        sample = [cell for row in rows if (cell := _filled(row, named[0])) is not None]
    return guess_time_form(replace(time, columns=tuple(named)), sample)


def _time_columns(columns: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    date, time = _first(columns, ("date",)), _first(columns, ("time",))
    if date and time:
        joined = [f"{row.cells.get(date)} {row.cells.get(time)}" for row in rows]
        if looks_like_time(joined, is_named_so=False):
            return (date, time)
    for name in sorted(columns, key=_time_rank):
        cells = [cell for row in rows if (cell := _filled(row, name)) is not None]
        if looks_like_time(cells, is_named_so=_plain(name) in TIME_NAMES):
            return (name,)
    return ()


def _time_rank(name: str) -> int:
    plain = _plain(name)
    return TIME_NAMES.index(plain) if plain in TIME_NAMES else len(TIME_NAMES)


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
