"""What the demo's screen shows, read from the ledger, the streams' progress and the tables."""

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from telemetry.settings import Settings
from telemetry.tables import BY_NAME, DEVICE_WINDOWS, ZONE_WINDOWS

ASIDE = ("silver.rejected", "silver.late", "silver.duplicates", "silver.conflicts")
GOLD = tuple(table.name for table in (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values()))
WATCHED = ("bronze.messages", "silver.readings", *ASIDE, *GOLD)


@dataclass(frozen=True, slots=True)
class Figures:
    """One look at the stack."""

    sent: int
    acknowledged: int
    rows: dict[str, int]
    rejected: dict[str, int] = field(default_factory=dict)
    age_s: float | None = None
    lag: int | None = None


class Watch:
    """Reads figures again and again at little cost: only what is new since the last look."""

    def __init__(self, settings: Settings, ledger: Path) -> None:
        self._settings = settings
        self._ledger = ledger
        self._position = 0
        self._entries: Counter[bytes] = Counter()
        self._tables: dict[str, DeltaTable] = {}
        self._reasons: dict[str, int] = {}
        self._recount_at = 0.0

    def look(self) -> Figures:
        """Return the figures as they are now."""
        self._read_ledger()
        landing = _progress(self._settings, "landing") or _progress(self._settings, "landing_spool")
        return Figures(
            sent=self._entries[b'{"e":"sent"'],
            acknowledged=self._entries[b'{"e":"ack",'],
            rows={name: self._rows(name) for name in WATCHED},
            rejected=self._rejected(),
            age_s=_number(landing.get("age_s")),
            lag=_whole(landing.get("lag_messages")),
        )

    def _read_ledger(self) -> None:
        if not self._ledger.exists():
            return
        with self._ledger.open("rb") as lines:
            lines.seek(self._position)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                self._entries[line[:11]] += 1

    def _table(self, name: str) -> DeltaTable | None:
        table = self._tables.get(name)
        if table is not None:
            table.update_incremental()
            return table
        declared = BY_NAME[name]
        path = f"{self._settings.lake_root}/{declared.layer}/{name.partition('.')[2]}"
        try:
            return self._tables.setdefault(name, DeltaTable(path))
        except TableNotFoundError:
            return None

    def _rows(self, name: str) -> int:
        table = self._table(name)
        if table is None:
            return 0
        files = pa.table(table.get_add_actions(flatten=True))
        return sum(count or 0 for count in files["num_records"].to_pylist())

    def _rejected(self) -> dict[str, int]:
        """Return messages by reason, counted anew as often as a thirtieth of the time allows."""
        table, began = self._tables.get("silver.rejected"), time.monotonic()
        if table is not None and began >= self._recount_at:
            rules = pl.scan_delta(table).select(
                pl.col("reasons").list.first().struct.field("rule").alias("rule")
            )
            counted = rules.group_by("rule").len().sort("len", descending=True).collect()
            self._reasons = dict(counted.iter_rows())
            self._recount_at = time.monotonic() + 30 * (time.monotonic() - began)
        return self._reasons


def _progress(settings: Settings, query: str) -> dict[str, object]:
    path = settings.progress_dir / f"{query}.json"
    try:
        found: dict[str, object] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
