"""Looks at the lake from outside: how many rows each table has, how far each stream is."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from telemetry.tables import Table

Figures = dict[str, float | int | str]
RUNNING = ("running", "degraded")
FRESH_S = 60.0
CAME_AT = ("received_at", "window_end", "checked_at", "updated_at")
"""Columns that say when a row came, or up to when it tells."""
_TOLD = (
    "name",
    "state",
    "lag_messages",
    "age_s",
    "input_rows_per_s",
    "duration_s",
    "batch_id",
    "event_time",
)


@dataclass(frozen=True, slots=True)
class TableSize:
    """A version of a table and what the log says of it."""

    version: int
    rows: int
    files: int
    mib: float
    age_s: float | None
    """How old the newest row is; of an empty table nobody can say."""

    def metadata(self) -> Figures:
        """Return what Dagster shows and plots."""
        age = {} if self.age_s is None else {"age_s": self.age_s}
        return {
            "dagster/row_count": self.rows,
            "delta version": self.version,
            "files": self.files,
            "size MiB": self.mib,
            **age,
        }


def table_sizes(
    lake_root: str, tables: Iterable[Table], seen: Mapping[str, int], now_s: float
) -> Iterator[tuple[Table, TableSize]]:
    """Yield each table that has another version than the one seen last."""
    for table in tables:
        try:
            delta = DeltaTable(f"{lake_root}/{table.name.replace('.', '/')}")
        except (TableNotFoundError, DeltaError):
            continue
        if seen.get(table.name) != delta.version():
            yield table, _size(delta, now_s)


def _size(delta: DeltaTable, now_s: float) -> TableSize:
    actions = pl.DataFrame(delta.get_add_actions(flatten=True))
    rows, size = (int(actions[name].sum()) for name in ("num_records", "size_bytes"))
    mib = round(size / 2**20, 3)
    return TableSize(delta.version(), rows, len(actions), mib, _age_s(actions, now_s))


def _age_s(files: pl.DataFrame, now_s: float) -> float | None:
    """Return how old the newest row is, by when it came, or else when a file was written.

    A window that is still open ends in time to come: what it holds is new.
    """
    names = [f"max.{name}" for name in CAME_AT if f"max.{name}" in files.columns]
    newest = next((at for name in names if (at := _newest_s(files[name])) is not None), None)
    if newest is None:
        filled = files.filter(pl.col("num_records").fill_null(1) > 0)
        newest = _newest_s(filled["modification_time"])
    return None if newest is None else round(max(0.0, now_s - newest), 1)


def _newest_s(times: pl.Series) -> float | None:
    unit = pl.Datetime("ms" if times.dtype.is_integer() else "us", "UTC")
    newest = times.cast(unit).max()
    return newest.timestamp() if isinstance(newest, datetime) else None


def stream_figures(progress_dir: Path, query: str, now_s: float) -> Figures | None:
    """Return what a running stream says of itself; None if it is not running."""
    try:
        progress = json.loads((progress_dir / f"{query}.json").read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if progress["state"] not in RUNNING or now_s - progress["at"] > FRESH_S:
        return None
    return flat(progress)


def flat(progress: Mapping[str, object]) -> Figures:
    """Return a query's progress as figures that can be plotted."""
    told: dict[str, object] = {name: progress.get(name) for name in _TOLD}
    rows = progress.get("rows")
    if isinstance(rows, Mapping):
        told |= {f"rows {table}": count for table, count in rows.items()}
    return {name: value for name, value in told.items() if isinstance(value, int | float | str)}
