"""Looks at the lake from outside: how many rows each table has, how far each stream is."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from telemetry.tables import Table

Figures = dict[str, float | int | str]
RUNNING = ("running", "degraded")
FRESH_S = 60.0
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

    def metadata(self) -> Figures:
        """Return what Dagster shows and plots."""
        return {
            "dagster/row_count": self.rows,
            "delta version": self.version,
            "files": self.files,
            "size MiB": self.mib,
        }


def table_sizes(
    lake_root: str, tables: Iterable[Table], seen: Mapping[str, int]
) -> Iterator[tuple[Table, TableSize]]:
    """Yield each table that has another version than the one seen last."""
    for table in tables:
        try:
            delta = DeltaTable(f"{lake_root}/{table.name.replace('.', '/')}")
        except (TableNotFoundError, DeltaError):
            continue
        if seen.get(table.name) != delta.version():
            yield table, _size(delta)


def _size(delta: DeltaTable) -> TableSize:
    actions = delta.get_add_actions()
    rows = sum(n or 0 for n in actions.column("num_records").to_pylist())
    sizes = actions.column("size_bytes").to_pylist()
    return TableSize(delta.version(), rows, len(sizes), round(sum(sizes) / 2**20, 3))


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
