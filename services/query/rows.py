"""Rows of a series as columns of numpy: readings and windows in one form.

A reading is a window of its own with width 0: count 1, or 0 where the device said that it had no
value. Times are microseconds since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.query.points import NO_POINTS, Micros, Points, Values

Floats = NDArray[np.float64]
Kind = Literal["number", "text", "boolean", "none"]
READING_COLUMNS = ("event_time_us", "boot", "seq", "value", "value_text", "value_bool")
LEAST_SHARE = 1e-6
"""Of sums and counts: what is less may be what was lost in rounding."""
_ENDS = ("first_at", "last_at", "first", "last", "first_text", "last_text", "first_bool",
         "last_bool")  # fmt: skip
EXTREME_COLUMNS = ("window_start", "is_final", "count", "min", "max", *_ENDS)
_WHOLE = ("count", "first_at", "last_at", "first_seq", "last_seq")
WINDOW_COLUMNS = (*EXTREME_COLUMNS, "sum", "mean", "m2", "first_seq", "last_seq")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in order of time; numbers are NaN where there is none, ends are of any kind."""

    kind: Kind
    times: Micros
    count: Micros
    min: Floats
    max: Floats
    first_at: Micros
    last_at: Micros
    first: Values
    last: Values
    sum: Floats
    mean: Floats
    m2: Floats
    first_seq: Micros
    last_seq: Micros
    others: int = 0
    """Readings of another kind, which are left out."""

    def at(self, places: NDArray[np.int64]) -> "Rows":
        """Return some of the rows."""
        return Rows(self.kind, **{name: getattr(self, name)[places] for name in _COLUMNS})

    @property
    def points_in(self) -> int:
        """Return how many readings with a value the rows stand for."""
        return int(self.count.sum())


_COLUMNS = tuple(field.name for field in fields(Rows))[1:-1]


def of_readings(tables: Iterable[pa.Table]) -> Rows:
    """Return readings as rows, each key once; they come from silver.readings and silver.late."""
    whole = pa.concat_tables(tables)
    if not len(whole):
        return NO_ROWS
    whole = _each_once(_sorted(whole, "event_time_us", "seq"))
    kind, others = _kind(whole, "value", "value_text", "value_bool")
    values = _values(whole, kind, "value", "value_text", "value_bool")
    times, seq = _whole(whole, "event_time_us"), _whole(whole, "seq")
    numbers = _numbers(whole, "value")
    return Rows(
        kind=kind,
        times=times,
        count=_is_there(values).astype(np.int64),
        min=numbers,
        max=numbers,
        first_at=times,
        last_at=times,
        first=values,
        last=values,
        sum=numbers,
        mean=numbers,
        m2=np.where(np.isnan(numbers), np.nan, 0.0),
        first_seq=seq,
        last_seq=seq,
        others=others,
    )


def _sorted(rows: pa.Table, *names: str) -> pa.Table:
    """Return rows in order; `sort_by` would bring pandas into the process."""
    keys = [_whole(rows, name) for name in reversed(names)]
    return rows.take(pa.array(np.lexsort(keys)))


def _each_once(rows: pa.Table) -> pa.Table:
    times, seq = _whole(rows, "event_time_us"), _whole(rows, "seq")
    again = np.flatnonzero((np.diff(times) == 0) & (np.diff(seq) == 0))
    if not len(again):
        return rows
    boots = rows.column("boot").to_pylist()
    seen: set[tuple[int, int, str]] = set()
    places = []
    for place, key in enumerate(zip(times.tolist(), seq.tolist(), boots, strict=True)):
        if key not in seen:
            seen.add(key)
            places.append(place)
    return rows.take(places)


def of_windows(tables: Sequence[pa.Table]) -> Rows:
    """Return rows of a gold table as rows; what was not read of a window is NaN or 0."""
    whole = pa.concat_tables(tables)
    if not len(whole):
        return NO_ROWS
    whole = _sorted(whole, "window_start")
    kind, _ = _kind(whole, "min", "last_text", "last_bool")
    columns: dict[str, Any] = {name: _whole(whole, name) for name in _WHOLE}
    columns |= {name: _numbers(whole, name) for name in ("min", "max", "sum", "mean", "m2")}
    columns |= {
        end: _values(whole, kind, end, f"{end}_text", f"{end}_bool") for end in ("first", "last")
    }
    told = _told(columns, kind)
    # Of a window of two kinds some reading is left out, though its count may not tell how many.
    others = int((columns["count"] - told).sum()) or int(_are_both(columns, kind).any())
    columns["count"] = told
    return Rows(kind=kind, times=_whole(whole, "window_start"), **columns, others=others)


def _told(columns: Mapping[str, Any], kind: Kind) -> Micros:
    """Return how many readings of windows are of a kind: gold counts texts and numbers together.

    The mean and the sum tell, as far as they were read and are no rounded zeros.
    """
    count, mean = columns["count"], columns["mean"]
    size = np.maximum(np.abs(columns["min"]), np.abs(columns["max"]))
    with np.errstate(all="ignore"):
        found = np.rint(columns["sum"] / mean)
        is_less = (np.abs(mean) > LEAST_SHARE * size) & (found >= 1)
        is_less &= count - found > np.maximum(0.5, LEAST_SHARE * count)
    numbers = np.where(is_less, found, count)
    told = np.where(is_less & (kind != "number"), count - numbers, numbers)
    is_mine = _is_there(columns["min"] if kind == "number" else columns["last"])
    kept: Micros = np.where(is_mine, told, 0).astype(np.int64)
    return kept


def _are_both(columns: Mapping[str, Any], kind: Kind) -> NDArray[np.bool_]:
    """Say of windows whether they have readings of a kind and of others."""
    has_number = _is_there(columns["min"])
    is_mine = has_number if kind == "number" else _is_there(columns["last"])
    is_whole = _is_there(columns["first"]) & _is_there(columns["last"])
    return is_mine & (~is_whole | (has_number & (kind != "number")))


def together(parts: Sequence[Rows]) -> Rows:
    """Return parts that follow one another in time as one."""
    there = [part for part in parts if len(part.times)]
    kinds = {part.kind for part in there} - {"none"}
    if not there:
        return NO_ROWS
    if len(kinds) > 1:
        # Products without a schema fix a metric's type by its first use, so this is a product
        # whose schema was replaced: what most readings are is the series.
        kind = max(kinds, key=lambda kind: sum(p.points_in for p in there if p.kind == kind))
        found = together([part for part in there if part.kind in (kind, "none")])
        left = sum(p.points_in + p.others for p in there if p.kind not in (kind, "none"))
        return replace(found, others=found.others + left)
    kind = kinds.pop() if kinds else "none"
    as_one = [part if part.kind == kind else _retyped(part, kind) for part in there]
    columns = {name: np.concatenate([getattr(part, name) for part in as_one]) for name in _COLUMNS}
    return Rows(kind, **columns, others=sum(part.others for part in there))


def _retyped(part: Rows, kind: Kind) -> Rows:
    """Return rows without any value as rows of a kind without any value."""
    nothing = np.full(len(part.times), np.nan)
    values: Values = nothing if kind == "number" else np.full(len(nothing), None, dtype=object)
    return replace(part, kind=kind, first=values, last=values)


def candidates(rows: Rows) -> Points:
    """Return the points that can be extremes, in order of time: two a window; of texts the last.

    An extreme that is the window's first or last value stands at its very time; another one lies
    between these, at a third and at two thirds of the way.
    """
    there = rows.at(np.flatnonzero(rows.count > 0))
    if not len(there.times):
        return NO_POINTS
    if there.kind != "number":
        return _in_order([Points(there.last_at, there.last)])
    is_one = there.min == there.max
    low = _placed(there, there.min, 1)
    high = _placed(there, there.max, 2)
    more = np.flatnonzero(~is_one)
    return _in_order([Points(low, there.min), Points(high[more], there.max[more])])


def _placed(rows: Rows, extreme: Floats, thirds: int) -> Micros:
    within = rows.first_at + (rows.last_at - rows.first_at) * thirds // 3
    at_end = np.where(extreme == rows.last, rows.last_at, within)
    return np.where(extreme == rows.first, rows.first_at, at_end)


def _in_order(parts: Sequence[Points]) -> Points:
    times = np.concatenate([part.times for part in parts])
    values = np.concatenate([part.values for part in parts])
    order = np.argsort(times, kind="stable")
    return Points(times[order], values[order])


def _kind(rows: pa.Table, number: str, text: str, truth: str) -> tuple[Kind, int]:
    """Return the kind that most rows are of, and how many are of another one."""
    kinds: tuple[tuple[Kind, str], ...] = (("number", number), ("text", text), ("boolean", truth))
    counts = {kind: len(rows) - rows.column(name).null_count for kind, name in kinds}
    most = max(counts, key=lambda kind: counts[kind])
    return (most if counts[most] else "none"), sum(counts.values()) - counts[most]


def _values(rows: pa.Table, kind: Kind, number: str, text: str, truth: str) -> Values:
    if kind in ("number", "none"):
        return _numbers(rows, number)
    column = rows.column(text if kind == "text" else truth)
    return np.array(column.to_pylist(), dtype=object)


def _is_there(values: Values) -> NDArray[np.bool_]:
    if values.dtype == np.float64:
        return ~np.isnan(values)
    return np.array([value is not None for value in values], dtype=bool)


def _numbers(rows: pa.Table, name: str) -> Floats:
    if name not in rows.column_names:
        return np.full(len(rows), np.nan)
    found: Floats = rows.column(name).cast(pa.float64()).fill_null(np.nan).to_numpy()
    return found


def _whole(rows: pa.Table, name: str) -> Micros:
    if name not in rows.column_names:
        return np.zeros(len(rows), np.int64)
    column = rows.column(name)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    found: Micros = pc.fill_null(column, 0).to_numpy()
    return found


_NONE, _NAN = np.empty(0, np.int64), np.empty(0, np.float64)
NO_ROWS = Rows(
    kind="none",
    times=_NONE,
    count=_NONE,
    min=_NAN,
    max=_NAN,
    first_at=_NONE,
    last_at=_NONE,
    first=_NAN,
    last=_NAN,
    sum=_NAN,
    mean=_NAN,
    m2=_NAN,
    first_seq=_NONE,
    last_seq=_NONE,
)
