"""The latest value of every series, in memory: built from gold's days, kept up from silver.

Taking the later of two is idempotent, so it does not matter that gold's days and silver's newest
files say some readings twice.
"""

import threading
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

import polars as pl
import pyarrow.compute as pc

from services.problems import wait
from services.query.listing import Listing, TableFiles
from services.query.scanning import batches, read, tried
from telemetry.tables import DEVICE_DAY, DEVICES, LATE, READINGS

KEY = ["tenant", "device_full", "metric"]
MARGIN_S = 3600
"""Silver's files that are up to this much older than gold's newest are read as well."""
REDUCED_ROWS = 256 * 1024
_SCHEMA = {
    "tenant": pl.String(),
    "device_full": pl.String(),
    "metric": pl.String(),
    "product": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "seq": pl.Int64(),
    "number": pl.Float64(),
    "text": pl.String(),
    "truth": pl.Boolean(),
}
_DAY = dict(zip(_SCHEMA, (*KEY, "product", "last_at", "last_seq", "last", "last_text", "last_bool"),
                strict=True))  # fmt: skip
_READING = dict(zip(_SCHEMA, (*KEY, "product", "event_time", "seq", "value", "value_text",
                              "value_bool"), strict=True))  # fmt: skip


class State(NamedTuple):
    """The latest value of each series with its zone and its JSON, and what it was made of."""

    rows: pl.DataFrame
    seen: frozenset[str]
    devices_version: int
    edition: int


class Latest:
    """Kept up by a thread and by whoever asks; safe for several threads."""

    def __init__(self, root: str) -> None:
        self._days = TableFiles(root, DEVICE_DAY)
        self._sources = (TableFiles(root, READINGS), TableFiles(root, LATE))
        self._devices = TableFiles(root, DEVICES)
        self._state: State | None = None
        self._lock = threading.Lock()

    def state(self) -> State:
        """Return the state with all that silver has; answer when to come again while it is made."""
        if not self._lock.acquire(blocking=self._state is not None):
            raise wait(HTTPStatus.SERVICE_UNAVAILABLE, "the latest values are being read", 2.0)
        try:
            if self._state is None:
                self._state = tried(self._built)
            self._state = tried(self._kept_up)
            return self._state
        finally:
            self._lock.release()

    def rebuild(self) -> None:
        """Make it anew, so that what was deleted from the tables goes here too."""
        built = tried(self._built)
        with self._lock:
            edition = self._state.edition + 1 if self._state else 0
            self._state = built._replace(edition=edition)

    def _built(self) -> State:
        days = self._days.listing()
        rows = _rows(self._days, days.paths, _DAY)
        newest = max(days.modified, default=0)
        old = frozenset(
            path
            for source in self._sources
            for path in _modified_before(source.listing(), newest - MARGIN_S * 1000)
        )
        return State(self._with_zones(rows), old, self._devices.listing().version, 0)

    def _kept_up(self) -> State:
        state = self._state
        assert state is not None
        rows, seen = state.rows, set(state.seen)
        fresh: list[pl.DataFrame] = []
        for source in self._sources:
            new = [path for path in source.listing().paths if path not in seen]
            if new:
                fresh.append(_rows(source, new, _READING))
            seen.update(new)
        version = self._devices.listing().version
        if version != state.devices_version:
            rows = self._with_zones(rows.select(*_SCHEMA))
        elif not fresh:
            return state
        if fresh:
            rows = _taken_over(rows, self._with_zones(_later(_empty(), *fresh)))
        return State(rows, frozenset(seen), version, state.edition + 1)

    def _with_zones(self, rows: pl.DataFrame) -> pl.DataFrame:
        return encoded(rows.join(self._zones(), on=["tenant", "device_full"], how="left"))

    def _zones(self) -> pl.DataFrame:
        """Return where each device stands now."""
        paths = self._devices.listing().paths
        columns = ["tenant", "device_full", "zone"]
        if not paths:
            return pl.DataFrame(schema=dict.fromkeys(columns, pl.String()))
        current = read(self._devices, paths, columns, pc.field("valid_to").is_null())
        return current.select(pl.col(columns).cast(pl.String())).unique(columns[:2], keep="last")


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema=_SCHEMA)


def _modified_before(listing: Listing, moment_ms: int) -> list[str]:
    files = zip(listing.paths, listing.modified, strict=True)
    return [path for path, modified in files if modified < moment_ms]


def _rows(files: TableFiles, paths: Sequence[str], names: dict[str, str]) -> pl.DataFrame:
    """Return each series' latest value in some files, reduced as they are read."""
    has_value = pl.any_horizontal(pl.col("number", "text", "truth").is_not_null())
    columns = [pl.col(old).cast(_SCHEMA[new]).alias(new) for new, old in names.items()]
    kept, waiting, count = _empty(), [_empty()], 0
    for batch in batches(files, paths, list(names.values())):
        part = _later(batch.select(columns).filter(has_value))
        waiting.append(part)
        count += len(part)
        if count > len(kept) + REDUCED_ROWS:
            kept, waiting, count = _later(kept, *waiting), [_empty()], 0
    return _later(kept, *waiting)


def _later(*parts: pl.DataFrame) -> pl.DataFrame:
    """Return the latest row of each series."""
    together = pl.concat(parts)
    return together.sort("at", "seq").unique(KEY, keep="last", maintain_order=False)


def _taken_over(rows: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """Put newer rows in the place of older ones; what stays is not sorted again."""
    before = rows.join(fresh, on=KEY, how="semi")
    newer = _later(before, fresh)
    return pl.concat([rows.join(newer, on=KEY, how="anti"), newer])


def encoded(rows: pl.DataFrame) -> pl.DataFrame:
    """Add each row as JSON: an answer puts them in a row, and does not make them each time."""
    time = pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    head = pl.struct(
        pl.col("device_full").alias("device_id"),
        "product",
        "zone",
        "metric",
        time.str.replace(r"\.000000Z$", "Z").alias("time"),
    ).struct.json_encode()
    value = pl.coalesce(
        _json(pl.when(pl.col("number").is_finite()).then("number")),
        _json(pl.col("text")),
        _json(pl.col("truth")),
        pl.lit("null"),
    )
    whole = pl.concat_str(head.str.strip_suffix("}"), pl.lit(',"value":'), value, pl.lit("}"))
    return rows.with_columns(json=whole)


def _json(value: pl.Expr) -> pl.Expr:
    whole = pl.struct(value.alias("v")).struct.json_encode()
    inner = whole.str.strip_prefix('{"v":').str.strip_suffix("}")
    return pl.when(value.is_not_null()).then(inner)
