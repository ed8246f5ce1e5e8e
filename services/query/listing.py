"""The files of one Delta table with what its log says of them; sees new versions at a glance."""

import threading
from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from numpy.typing import NDArray
from pyarrow import fs

from edge.log_looks import seen
from services.query.commits import moved
from services.query.periods import period_end, period_start
from telemetry.tables import DEVICES, LATE, READINGS, Table

Micros = NDArray[np.int64]
EVER, NEVER = -(1 << 62), 1 << 62
_MICROS = pa.timestamp("us", tz="UTC")


class Home(NamedTuple):
    """A partition: its retention class, and where it begins; None where a table has none."""

    retention_class: str | None
    start_us: int | None


class Listing(NamedTuple):
    """The files of one version; bounds that the log does not give are open ones."""

    version: int
    paths: list[str]
    modified: list[int]
    """When each was written, in milliseconds since 1970."""
    lows: Micros
    highs: Micros
    """First and last event time or start of a window, in microseconds since 1970."""
    subjects: list[tuple[str | None, str | None]]
    """Least and greatest device, or zone."""
    metrics: list[tuple[str | None, str | None]]
    rows: list[int | None]
    homes: list[Home]
    """The partition that each is in."""
    held: Mapping[str | None, frozenset[int]]
    """Where the partitions of each retention class begin."""

    def between(self, start_us: int, end_us: int) -> list[int]:
        """Return the numbers of files that may hold rows of [start, end)."""
        return [int(n) for n in np.flatnonzero((self.lows < end_us) & (self.highs >= start_us))]

    def holding(
        self, subject: str | None, metric: str | None, start_us: int, end_us: int
    ) -> list[str]:
        """Return the paths of files that may hold rows of a series in [start, end); None: any."""
        return [self.paths[n] for n in self.of_series(subject, metric, start_us, end_us)]

    def of_series(
        self, subject: str | None, metric: str | None, start_us: int, end_us: int
    ) -> list[int]:
        """Return the numbers of files that may hold rows of a series in [start, end)."""
        return [
            n
            for n in self.between(start_us, end_us)
            if may_hold(self.subjects[n], subject) and may_hold(self.metrics[n], metric)
        ]

    def of_classes(self, classes: Set[str | None]) -> "Listing":
        """Return the files of some retention classes."""
        if classes >= self.held.keys():
            return self
        numbers = [n for n, home in enumerate(self.homes) if home.retention_class in classes]
        held = {kept: starts for kept, starts in self.held.items() if kept in classes}
        return self.at(numbers)._replace(held=held)

    def at(self, numbers: list[int]) -> "Listing":
        """Return some of the files."""
        return self._replace(
            paths=[self.paths[n] for n in numbers],
            modified=[self.modified[n] for n in numbers],
            lows=self.lows[numbers],
            highs=self.highs[numbers],
            subjects=[self.subjects[n] for n in numbers],
            metrics=[self.metrics[n] for n in numbers],
            rows=[self.rows[n] for n in numbers],
            homes=[self.homes[n] for n in numbers],
        )

    def with_files(self, others: "Listing") -> "Listing":
        """Return it with further files."""
        homes = self.homes + others.homes
        return Listing(
            self.version,
            self.paths + others.paths,
            self.modified + others.modified,
            np.concatenate([self.lows, others.lows]),
            np.concatenate([self.highs, others.highs]),
            self.subjects + others.subjects,
            self.metrics + others.metrics,
            self.rows + others.rows,
            homes,
            _held(homes),
        )


NOTHING = Listing(-1, [], [], np.empty(0, np.int64), np.empty(0, np.int64), [], [], [], [], {})


def may_hold(bounds: tuple[str | None, str | None], name: str | None) -> bool:
    """Say whether a file with these bounds may hold rows of a name; None: of any."""
    if name is None:
        return True
    least, greatest = bounds
    return (least is None or least <= name) and (greatest is None or name <= greatest)


class TableFiles:
    """One table's newest listing; safe for several threads."""

    def __init__(self, root: str, table: Table) -> None:
        self.table = table
        self._uri = f"{root.rstrip('/')}/{table.name.replace('.', '/')}"
        self.store, self.folder = file_system(self._uri)
        self._listing = NOTHING
        self._lock = threading.Lock()

    def listing(self) -> Listing:
        """Return the newest version's files; looks into the log, and reads what is new."""
        with self._lock:
            if self._listing is NOTHING or not self._is_newest(self._listing.version):
                self._listing = self._grown() or self._opened()
            return self._listing

    @property
    def known(self) -> Listing:
        """Return the listing as it was seen last."""
        return self._listing

    def _is_newest(self, version: int) -> bool:
        log = f"{self.folder}/_delta_log"
        names = [f"{log}/{number:020d}.json" for number in (version, version + 1)]
        current, following = self.store.get_file_info(names)
        return current.type is fs.FileType.File and following.type is fs.FileType.NotFound

    def _grown(self) -> Listing | None:
        """Return the listing with what commits said since; None if that takes the whole log."""
        known = self._listing
        found = None if known is NOTHING else moved(self.store, self.folder, known.version)
        # Without a further commit the one that is known has gone: the table is another one.
        if found is None or found.version == known.version:
            return None
        kept = known.at([n for n, path in enumerate(known.paths) if path not in found.removed])
        try:
            fresh = _listed(found.added, found.version, self.table) if len(found.added) else None
        except pa.ArrowInvalid:
            return None
        return kept.with_files(fresh or NOTHING)._replace(version=found.version)

    def _opened(self) -> Listing:
        try:
            handle = seen(lambda: DeltaTable(self._uri))
        except TableNotFoundError:
            return NOTHING
        return _listed(pa.table(handle.get_add_actions(flatten=True)), handle.version(), self.table)


def file_system(uri: str) -> tuple[fs.FileSystem, str]:
    """Return the store of a path or URL, and the path in it."""
    if "://" in uri:
        store, folder = fs.FileSystem.from_uri(uri)
        return store, folder
    return fs.LocalFileSystem(), uri


def _listed(files: pa.Table, version: int, table: Table) -> Listing:
    subject, time = _columns(table)
    lows, highs = (_times(files, f"{end}.{time}") for end in ("min", "max"))
    periods = _period_column(table)
    homes = _homes(files, periods)
    if periods:
        starts = files.column(f"partition.{periods}").to_pylist()
        name = table.name
        lows = np.where(lows == EVER, _filled(starts, lambda day: period_start(day)), lows)
        highs = np.where(highs == NEVER, _filled(starts, lambda day: period_end(day, name)), highs)
    return Listing(
        version,
        [unquote(path) for path in files.column("path").to_pylist()],
        _milliseconds(files.column("modification_time")),
        lows,
        highs,
        _bounds(files, subject),
        _bounds(files, "metric"),
        files.column("num_records").to_pylist(),
        homes,
        _held(homes),
    )


def _homes(files: pa.Table, periods: str | None) -> list[Home]:
    nothing = [None] * files.num_rows
    name = "partition.retention_class"
    classes = files.column(name).to_pylist() if name in files.column_names else nothing
    starts = files.column(f"partition.{periods}").to_pylist() if periods else nothing
    return [
        Home(kept, None if start is None else period_start(start))
        for kept, start in zip(classes, starts, strict=True)
    ]


def _held(homes: Sequence[Home]) -> Mapping[str | None, frozenset[int]]:
    found: dict[str | None, set[int]] = {}
    for home in homes:
        if home.start_us is not None:
            found.setdefault(home.retention_class, set()).add(home.start_us)
    return {kept: frozenset(starts) for kept, starts in found.items()}


def _milliseconds(times: pa.ChunkedArray) -> list[int]:
    whole = (
        times
        if pa.types.is_integer(times.type)
        else times.cast(pa.timestamp("ms", times.type.tz)).cast(pa.int64())
    )
    found: list[int] = whole.to_pylist()
    return found


def _columns(table: Table) -> tuple[str, str]:
    """Return the names of a table's subject and of its time, as the statistics have them."""
    if table in (READINGS, LATE):
        return "device_full", "event_time_us"
    return table.key[1 if table == DEVICES else 2], "window_start"


def _period_column(table: Table) -> str | None:
    named = [name for name in table.partition_by if name in ("event_date", "window_period")]
    return named[0] if named else None


def _times(files: pa.Table, name: str) -> Micros:
    is_low = name.startswith("min")
    unknown = EVER if is_low else NEVER
    if name not in files.column_names:
        return np.full(files.num_rows, unknown, np.int64)
    column = files.column(name)
    if not pa.types.is_integer(column.type):
        column = column.cast(_MICROS).cast(pa.int64())
        # Statistics of timestamps are cut to milliseconds.
        column = column if is_low else pc.add(column, 999)
    found: Micros = column.fill_null(unknown).to_numpy()
    return found


def _filled(days: list[object], bound: Callable[[object], int]) -> Micros:
    return np.array([bound(day) for day in days], np.int64)


def _bounds(files: pa.Table, name: str) -> list[tuple[str | None, str | None]]:
    columns = [
        files.column(f"{end}.{name}").to_pylist()
        if f"{end}.{name}" in files.column_names
        else [None] * files.num_rows
        for end in ("min", "max")
    ]
    return list(zip(*columns, strict=True))
