"""A lake of a test's own: readings and the gold that follows from them, written by delta-rs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake import WriterProperties, write_deltalake

from telemetry.tables import BY_NAME, DEVICE_WINDOWS, LATE, READINGS, WINDOW_MINUTES, Table

Row = dict[str, object]
Value = float | str | bool | None
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {
    "string": pl.String(),
    "long": pl.Int64(),
    "int": pl.Int32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
    "binary": pl.Binary(),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading; times are microseconds since 1970."""

    at_us: int
    value: Value
    seq: int = 0
    device: str = "meter.m1"
    metric: str = "kwh"
    tenant: str = "default"
    zone: str = "north"
    is_late: bool = False
    retention_class: str = "default"

    @property
    def at(self) -> datetime:
        """Return when it was."""
        return EPOCH + timedelta(microseconds=self.at_us)

    def row(self) -> Row:
        """Return it as a row of silver."""
        column = {bool: "value_bool", str: "value_text"}.get(type(self.value), "value")
        return {
            "tenant": self.tenant,
            "device_full": self.device,
            "product": self.device.partition(".")[0],
            "device": self.device.partition(".")[2],
            "boot": "b",
            "seq": self.seq,
            "metric": self.metric,
            "event_time": self.at,
            "event_time_us": self.at_us,
            "received_at": self.at + timedelta(seconds=1),
            column: self.value,
            "quality": "sentinel" if self.value is None else "ok",
            "zone": self.zone,
            "clock": "ok",
            "topic": "telemetry",
            "partition": 0,
            "offset": self.seq,
            "item": 0,
            "retention_class": self.retention_class,
            "event_date": self.at.date(),
        }


def numbered(readings: Iterable[Reading]) -> list[Reading]:
    """Give each reading a seq of its own."""
    return [replace(each, seq=n) for n, each in enumerate(readings)]


@dataclass
class TestLake:
    """Tables below a folder."""

    __test__ = False

    root: Path
    readings: list[Reading] = field(default_factory=list, repr=False)
    rows_a_group: int | None = None
    """Rows of a row group of silver's files; None: as many as there are."""

    def land(self, readings: Sequence[Reading], *, files: int = 1) -> None:
        """Append readings to silver in so many commits."""
        self.readings += readings
        size = -(-len(readings) // files) or 1
        for start in range(0, len(readings), size):
            part = readings[start : start + size]
            in_time, late = ([e.row() for e in part if e.is_late is so] for so in (False, True))
            put(self.root, READINGS, in_time, rows_a_group=self.rows_a_group)
            put(self.root, LATE, late, rows_a_group=self.rows_a_group)

    def make_gold(self, final_us: int, until_us: int | None = None) -> None:
        """Put all windows of the readings before `until_us`; final where they end by `final_us`."""
        known = [each for each in self.readings if until_us is None or each.at_us < until_us]
        for name, table in DEVICE_WINDOWS.items():
            rows = windows(known, WINDOW_MINUTES[name] * 60_000_000, final_us, "device_full")
            put(self.root, table, with_period(rows, name), mode="overwrite")


def windows(readings: Iterable[Reading], width: int, final_us: int, subject: str) -> list[Row]:
    """Return the windows of readings by plain Python."""
    groups: dict[tuple[str, ...], dict[int, list[Reading]]] = {}
    for each in readings:
        key = (
            each.tenant,
            each.device if subject == "device_full" else each.zone,
            each.device.partition(".")[0],
            each.metric,
            each.retention_class,
        )
        start = each.at_us // width * width
        groups.setdefault(key, {}).setdefault(start, []).append(each)
    return [
        _identity(key, subject)
        | _bounds(start, start + width, start + width <= final_us)
        | _statistics(rows)
        for key, starts in groups.items()
        for start, rows in starts.items()
    ]


def _identity(key: tuple[str, ...], subject: str) -> Row:
    names = ("tenant", subject, "product", "metric", "retention_class")
    return dict(zip(names, key, strict=True))


def _bounds(start: int, end: int, is_final: bool) -> Row:
    at = [EPOCH + timedelta(microseconds=micros) for micros in (start, end)]
    return {"window_start": at[0], "window_end": at[1], "is_final": is_final}


def _statistics(rows: list[Reading]) -> Row:
    valued = sorted((r for r in rows if r.value is not None), key=lambda r: (r.at_us, r.seq))
    numbers = [float(r.value) for r in valued if type(r.value) is float]
    mean = sum(numbers) / len(numbers) if numbers else None
    row: Row = {
        "count": len(valued),
        "sum": sum(numbers) if numbers else None,
        "min": min(numbers, default=None),
        "max": max(numbers, default=None),
        "mean": mean,
        "m2": None if mean is None else sum((n - mean) ** 2 for n in numbers),
    }
    for name, each in (("first", valued[:1]), ("last", valued[-1:])):
        for one in each:
            suffix = {bool: "_bool", str: "_text"}.get(type(one.value), "")
            row |= {f"{name}{suffix}": one.value, f"{name}_at": one.at, f"{name}_seq": one.seq}
    return row


def with_period(rows: list[Row], name: str) -> list[Row]:
    """Put each window into its partition."""
    for row in rows:
        start = row["window_start"]
        assert isinstance(start, datetime)
        day = start.date()
        firsts = {"hour": day.replace(day=1), "day": date(day.year, 1, 1)}
        row["window_period"] = firsts.get(name, day)
    return rows


def put(
    root: Path,
    table: Table,
    rows: Sequence[Row],
    mode: str = "append",
    *,
    rows_a_group: int | None = None,
) -> None:
    """Write rows of a declared table; columns of other types than plain ones are left out."""
    types = {column.name: TYPES[column.type] for column in table.columns if column.type in TYPES}
    frame = pl.DataFrame([{name: row.get(name) for name in types} for row in rows], types)
    ordered = frame.sort([name for name in table.cluster_by if name in types])
    write_deltalake(
        root / Path(*table.name.split(".")),
        ordered.to_arrow(),
        mode="overwrite" if mode == "overwrite" else "append",
        partition_by=list(table.partition_by),
        writer_properties=WriterProperties(max_row_group_size=rows_a_group),
    )


def all_tables(root: Path) -> None:
    """Make every declared table, with nothing in it."""
    for table in BY_NAME.values():
        put(root, table, [])
