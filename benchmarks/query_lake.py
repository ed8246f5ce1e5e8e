"""The lake of `BENCH=query`: 1,000 devices, 90 days, a reading each 15 s, in Delta.

Files are as compaction leaves them: one a day, sorted by device, row groups of 256 Ki rows;
gold has hours a month, and minutes a day at both ends. Seeded; kept for the next run.
"""

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.schema import Schema
from deltalake.transaction import AddAction, create_table_with_add_actions

from telemetry.tables import DEVICE_DAY, DEVICE_HOUR, DEVICE_MINUTE, READINGS, Table, Type

DEVICES, DAYS, STEP_S, METRIC = 1000, 90, 15, "temperature"
A_DAY = 86_400 // STEP_S
START = datetime(2026, 6, 1, tzinfo=UTC)
EDGE_DAYS = 2
"""Minutes are read where hours do not fit: at both ends; the days between are left out."""
SEED = 20_261
GROUP_ROWS = 256 * 1024
MODIFIED_MS = {
    "silver": int(START.timestamp()) * 1000,
    "gold": int((START + timedelta(days=DAYS)).timestamp()) * 1000,
}
"""Silver's files are older than gold's by more than what is read of them for the latest values."""
_TIMES = pa.timestamp("us", tz="UTC")
_ARROW: dict[Type, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": _TIMES,
    "date": pa.date32(),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
}


def device(number: int) -> str:
    """Return a device's full name."""
    return f"sensor.d{number:04d}"


def day_values(day: int) -> np.ndarray:
    """Return the values of all devices of a day, a row a device, in steps of a hundredth."""
    chance = np.random.default_rng([SEED, day])
    phase = np.arange(A_DAY) / A_DAY * 2 * np.pi
    base = 20 + 5 * np.sin(phase)[None, :] + np.arange(DEVICES)[:, None] % 7
    values: np.ndarray = np.round(base + chance.standard_normal((DEVICES, A_DAY)), 2)
    return values


class Spike:
    """The one sample that is unlike all others."""

    device, day, step, value = 417, 31, 2_345, 99.25
    at = START + timedelta(days=day, seconds=step * STEP_S)


def make(root: Path, days: int = DAYS) -> float:
    """Write the lake unless it is there; return the seconds that it took, 0 if it was."""
    mark = root / "made.json"
    wanted = {"devices": DEVICES, "days": days, "seed": SEED, "form": 3}
    if mark.is_file() and json.loads(mark.read_text()) == wanted:
        return 0.0
    shutil.rmtree(root, ignore_errors=True)
    began = time.perf_counter()
    _silver(root, days)
    mark.write_text(json.dumps(wanted))
    return time.perf_counter() - began


def _silver(root: Path, days: int) -> None:
    silver, minutes = _Writer(root, READINGS), _Writer(root, DEVICE_MINUTE)
    hours: dict[str, list[pa.Table]] = {}
    whole_days: list[pa.Table] = []
    for day in range(days):
        values = day_values(day)
        if day == Spike.day:
            values[Spike.device, Spike.step] = Spike.value
        at = START + timedelta(days=day)
        date = at.date().isoformat()
        silver.write(_readings(values, at), {"retention_class": "default", "event_date": date})
        partition = {"retention_class": "default", "window_period": date}
        if min(day, days - 1 - day) < EDGE_DAYS:
            minutes.write(_windows(values, at, 60), partition)
        hours.setdefault(f"{date[:7]}-01", []).append(_windows(values, at, 3600))
        whole_days.append(_windows(values, at, 86_400))
    silver.commit()
    minutes.commit()
    hour_files, day_files = _Writer(root, DEVICE_HOUR), _Writer(root, DEVICE_DAY)
    for month, parts in hours.items():
        rows = _by_device(parts)
        hour_files.write(rows, {"retention_class": "default", "window_period": month})
    year = {"retention_class": "default", "window_period": f"{START.year}-01-01"}
    day_files.write(_by_device(whole_days), year)
    hour_files.commit()
    day_files.commit()


def _by_device(parts: list[pa.Table]) -> pa.Table:
    together = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    codes = together.column("device_full").chunk(0).indices.to_numpy()
    # Days follow one another, so a stable sort by device leaves each device's in order.
    return together.take(pa.array(np.argsort(codes, kind="stable")))


@cache
def _names(count: int) -> pa.Array:
    names = pa.array([device(n) for n in range(DEVICES)])
    codes = np.repeat(np.arange(DEVICES, dtype=np.int32), count)
    return pa.DictionaryArray.from_arrays(pa.array(codes), names)


@cache
def _same(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


@cache
def _nothing(rows: int, kind: pa.DataType) -> pa.Array:
    return pa.nulls(rows, kind)


@cache
def _steps() -> np.ndarray:
    steps: np.ndarray = np.tile(np.arange(A_DAY, dtype=np.int64), DEVICES)
    return steps


def _readings(values: np.ndarray, at: datetime) -> pa.Table:
    rows = values.size
    start = int(at.timestamp()) * 1_000_000
    times = _steps() * (STEP_S * 1_000_000) + start
    seq = pa.array(_steps() + (at - START).days * A_DAY)
    stamps = pa.array(times).view(_TIMES)
    known = {
        "tenant": _same("default", rows),
        "device_full": _names(A_DAY),
        "boot": _same("", rows),
        "seq": seq,
        "metric": _same(METRIC, rows),
        "product": _same("sensor", rows),
        "event_time": stamps,
        "event_time_us": pa.array(times),
        "received_at": stamps,
        "clock": _same("ok", rows),
        "value": pa.array(values.ravel()),
        "unit": _same("degC", rows),
        "quality": _same("ok", rows),
        "zone": _same("north", rows),
        "topic": _same("telemetry", rows),
        "offset": seq,
        "kafka_time": stamps,
    }
    return _whole(READINGS, known, rows)


def _windows(values: np.ndarray, at: datetime, width_s: int) -> pa.Table:
    each = width_s // STEP_S
    parts = values.reshape(DEVICES, -1, each)
    count = parts.shape[1]
    rows = DEVICES * count
    start = int(at.timestamp()) * 1_000_000
    starts = np.tile(start + np.arange(count, dtype=np.int64) * width_s * 1_000_000, DEVICES)
    last_at = starts + (each - 1) * STEP_S * 1_000_000
    mean = parts.mean(axis=2)
    m2 = ((parts - mean[:, :, None]) ** 2).sum(axis=2)
    numbers = {
        "sum": parts.sum(axis=2),
        "m2": m2,
        "min": parts.min(axis=2),
        "max": parts.max(axis=2),
        "mean": mean,
        "stddev": np.sqrt(m2 / (each - 1)),
        "first": parts[:, :, 0],
        "last": parts[:, :, -1],
    }
    known = {name: pa.array(column.ravel()) for name, column in numbers.items()} | {
        "tenant": _same("default", rows),
        "window_start": pa.array(starts).view(_TIMES),
        "window_end": pa.array(starts + width_s * 1_000_000).view(_TIMES),
        "device_full": _names(count),
        "product": _same("sensor", rows),
        "metric": _same(METRIC, rows),
        "count": pa.array(np.full(rows, each, np.int64)),
        "first_at": pa.array(starts).view(_TIMES),
        "last_at": pa.array(last_at).view(_TIMES),
        "first_seq": pa.array(starts // (STEP_S * 1_000_000)),
        "last_seq": pa.array(last_at // (STEP_S * 1_000_000)),
        "is_final": pa.array(np.ones(rows, dtype=bool)),
    }
    return _whole(DEVICE_HOUR, known, rows)


def _whole(table: Table, known: dict[str, pa.Array], rows: int) -> pa.Table:
    stored = [column for column in table.columns if column.name not in table.partition_by]
    columns = {
        column.name: known[column.name]
        if column.name in known
        else _nothing(rows, _ARROW[column.type])
        for column in stored
    }
    return pa.table(columns)


class _Writer:
    """Files of one table, put into it by one commit."""

    def __init__(self, root: Path, table: Table) -> None:
        self._table = table
        self._folder = root / Path(*table.name.split("."))
        self._actions: list[AddAction] = []

    def write(self, rows: pa.Table, partition: dict[str, str]) -> None:
        """Write a file of a partition."""
        name = "/".join(f"{key}={value}" for key, value in partition.items())
        path = f"{name}/part-{len(self._actions):05d}.zstd.parquet"
        (self._folder / name).mkdir(parents=True, exist_ok=True)
        target = self._folder / path
        texts = [field.name for field in rows.schema if pa.types.is_dictionary(field.type)]
        numbers = [
            n
            for n in (
                "seq",
                "offset",
                "event_time_us",
                "event_time",
                "received_at",
                "kafka_time",
                "window_start",
                "window_end",
            )
            if n in rows.column_names
        ]
        pq.write_table(
            rows,
            target,
            compression="zstd",
            compression_level=1,
            row_group_size=GROUP_ROWS,
            use_dictionary=[*texts, "value"],
            column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
            store_schema=False,
        )
        self._actions.append(self._added(path, target.stat().st_size, rows, partition))

    def _added(self, path: str, size: int, rows: pa.Table, partition: dict[str, str]) -> AddAction:
        values = dict(_bounds(rows))
        statistics = {
            "numRecords": rows.num_rows,
            "minValues": {name: low for name, (low, _) in values.items()},
            "maxValues": {name: high for name, (_, high) in values.items()},
            "nullCount": dict.fromkeys(values, 0),
        }
        modified = MODIFIED_MS[self._table.layer]
        return AddAction(path, size, partition, modified, True, json.dumps(statistics))

    def commit(self) -> None:
        """Make the table of the files."""
        names = {**_ARROW}
        fields = [pa.field(column.name, names[column.type]) for column in self._table.columns]
        create_table_with_add_actions(
            str(self._folder),
            Schema.from_arrow(pa.schema(fields)),
            self._actions,
            mode="overwrite",
            partition_by=list(self._table.partition_by),
            commit_properties=CommitProperties(),
        )
        assert DeltaTable(str(self._folder)).version() == 0


def _bounds(rows: pa.Table) -> Iterator[tuple[str, tuple[object, object]]]:
    yield "device_full", (device(0), device(DEVICES - 1))
    yield "metric", (METRIC, METRIC)
    name = "event_time_us" if "event_time_us" in rows.column_names else "window_start"
    column = rows.column(name)
    low, high = column[0].as_py(), column[len(column) - 1].as_py()
    if name == "event_time_us":
        yield name, (low, high)
    else:
        yield name, tuple(at.isoformat().replace("+00:00", ".000Z") for at in (low, high))
