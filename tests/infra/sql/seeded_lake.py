"""A small lake with a row or two of everything that queries stumble over."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from telemetry.tables import BY_NAME, MESSAGES, READINGS, REJECTED, Column, Table, Type

Row = dict[str, object]
START = datetime(2026, 11, 21, 8, 0, 0, 123000, tzinfo=UTC)
_REASON = pa.struct([("field", pa.string()), ("rule", pa.string()), ("value", pa.string())])
_ARROW: Mapping[Type, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "binary": pa.binary(),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
    "map<string,binary>": pa.map_(pa.string(), pa.binary()),
    "map<int,long>": pa.map_(pa.int32(), pa.int64()),
    "array<reason>": pa.list_(_REASON),
}


def seed(lake: Path, *, without: Collection[Table] = ()) -> None:
    """Create the declared tables, with rows in messages, readings and rejected."""
    rows = {READINGS.name: readings(), REJECTED.name: rejected(), MESSAGES.name: messages()}
    for table in (table for table in BY_NAME.values() if table not in without):
        write_deltalake(
            lake / table.name.replace(".", "/"),
            frame(table, rows.get(table.name, [])),
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.description,
        )


def append(lake: Path, table: Table, rows: Sequence[Row]) -> None:
    """Append rows to a table that is there."""
    write_deltalake(lake / table.name.replace(".", "/"), frame(table, rows), mode="append")


def frame(table: Table, rows: Sequence[Row]) -> pa.Table:
    """Return rows in the declared schema, null where they say nothing."""
    fields = [
        pa.field(column.name, _ARROW[column.type], metadata={"comment": comment(column)})
        for column in table.columns
    ]
    return pa.Table.from_pylist(list(rows), schema=pa.schema(fields))


def comment(column: Column) -> str:
    """Return a column's comment as the lake has it."""
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def readings() -> list[dict[str, object]]:
    """Return forty readings of two devices in two zones, a null and a tag among them."""
    return [
        {
            "tenant": "default",
            "device_full": f"meter.m{index % 2}",
            "boot": "b",
            "seq": index,
            "metric": "kwh",
            "device": f"m{index % 2}",
            "product": "meter",
            "event_time": START + timedelta(seconds=17 * index),
            "event_time_us": int(START.timestamp() * 1e6) + 17_000_000 * index,
            "received_at": START + timedelta(seconds=17 * index + 2),
            "value": None if index == 7 else index / 8,
            "zone": "north" if index % 3 else "south",
            "quality": "ok",
            "clock": "ok",
            "tags": [("line", str(index % 4))] if index % 5 else None,
            "partition": index % 4,
            "offset": index,
            "item": 0,
            "topic": "telemetry",
            "retention_class": "default",
            "event_date": date(2026, 11, 21),
        }
        for index in range(40)
    ]


def rejected() -> list[dict[str, object]]:
    """Return three messages with one, two and no reasons."""
    rules: tuple[list[str], ...] = (["range"], ["range", "type"], [])
    return [
        {
            "topic": "telemetry",
            "partition": 0,
            "offset": index,
            "item": 0,
            "tenant": "default",
            "device_full": "meter.m0",
            "message": b'{"metrics": 1}',
            "reasons": [{"field": "kwh", "rule": rule, "value": "x"} for rule in broken],
            "received_at": START,
            "received_date": date(2026, 11, 21),
        }
        for index, broken in enumerate(rules)
    ]


def messages() -> list[dict[str, object]]:
    """Return two records, one of bytes that are no text."""
    return [
        {
            "topic": "telemetry",
            "partition": 0,
            "offset": index,
            "value": value,
            "tenant": "default",
            "headers": [("tenant", b"default")],
            "items": 1,
            "received_at": START,
            "received_date": date(2026, 11, 21),
        }
        for index, value in enumerate((b'{"seq": 42}', b"\xff\x00"))
    ]
