"""Readings of many files in order of series and time: a series' rows are a slice, found by halving.

    keys     [  s1  |   s2   | s4 ]      numbers of the series that have rows here
    starts   [0     |3       |7   |9]    where each one's rows begin
    records  [r r r | r r r r | r r]     in order of time; each says which file it is from

Runs of few files are merged into runs of more. A large one lies in files that have no name: its
rows are read where they are asked for, and the files are gone when the run or the process is.
"""

import os
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

RECORD = np.dtype(
    [
        ("time", np.int64),
        ("seq", np.int64),
        ("value", np.float64),
        ("boot", np.uint32),
        ("file", np.uint32),
        ("kind", np.uint8),
    ]
)
"""`boot` is a word's number in the run; so is the value of a text."""
NOTHING, NUMBER, TEXT, TRUTH = range(4)
Numbers = NDArray[np.int64]
Records = NDArray[np.void]
Kind = TypeVar("Kind", bound=np.generic)
FENCED = 256
"""Keys that are read at once where an index lies in a file."""


class Spilled(Generic[Kind]):
    """An array in a file without a name."""

    nbytes = 0
    """Of memory."""

    def __init__(self, array: NDArray[Kind], folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            left = np.ascontiguousarray(array).view(np.uint8).data
            while left:
                left = left[file.write(left) :]
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._count, self._kind = len(array), array.dtype

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __getitem__(self, places: slice) -> NDArray[Kind]:
        """Read some of them."""
        first, behind, _ = places.indices(self._count)
        size = self._kind.itemsize
        content = os.pread(self._file, max(0, behind - first) * size, first * size)
        return np.frombuffer(content, self._kind)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Records of some files with their words, and where each series' records are."""

    records: Records | Spilled[np.void]
    keys: Numbers | Spilled[np.int64]
    starts: Numbers | Spilled[np.int64]
    fences: Numbers
    """Every so manieth key, in memory always."""
    words: pa.Array
    files: frozenset[int]
    newest: int
    """When the newest of its files was written."""
    level: int = 0

    @property
    def memory(self) -> int:
        """Return how many bytes of memory it takes."""
        parts = (self.records, self.keys, self.starts, self.fences, self.words)
        return int(sum(part.nbytes for part in parts))

    @property
    def is_spilled(self) -> bool:
        """Say whether its records are in a file."""
        return isinstance(self.records, Spilled)

    def of(self, series: int, start_us: int, end_us: int) -> Records:
        """Return the records of a series in [start, end), in order of time."""
        found = self.records[self._places(series)]
        first, behind = np.searchsorted(found["time"], (start_us, end_us))
        return found[first:behind]

    def _places(self, series: int) -> slice:
        fence = int(np.searchsorted(self.fences, series, side="right")) - 1
        first = max(0, fence) * FENCED
        keys = self.keys[first : first + FENCED]
        place = int(np.searchsorted(keys, series))
        if place == len(keys) or keys[place] != series:
            return slice(0, 0)
        start, end = self.starts[first + place : first + place + 2].tolist()
        return slice(start, end)

    def spilled(self, folder: Path) -> "Run":
        """Return it with its records and their index in files."""
        return replace(
            self,
            records=_in_file(self.records, folder),
            keys=_in_file(self.keys, folder),
            starts=_in_file(self.starts, folder),
        )

    def series(self) -> Numbers:
        """Return the series of each record."""
        return np.repeat(self.keys[:], np.diff(self.starts[:]))


def _in_file(part: NDArray[Kind] | Spilled[Kind], folder: Path) -> Spilled[Kind]:
    return part if isinstance(part, Spilled) else Spilled(part, folder)


NO_RECORDS = np.empty(0, RECORD)


class Columns(NamedTuple):
    """Records in any order with their series."""

    records: Records
    series: Numbers
    words: pa.Array


def ordered(
    columns: Columns,
    files: Iterable[int],
    newest: int,
    level: int = 0,
    order: Numbers | None = None,
) -> Run:
    """Return records as a run; `order`: the order of series and time, where it is known."""
    if order is None:
        order = np.lexsort((columns.records["time"], columns.series))
    series = columns.series[order]
    firsts = np.flatnonzero(np.diff(series, prepend=series[:1] - 1))
    return Run(
        columns.records[order],
        keys := series[firsts],
        np.append(firsts, len(series)),
        keys[::FENCED].copy(),
        columns.words,
        frozenset(files),
        newest,
        level,
    )


def merged(runs: Sequence[Run]) -> Run:
    """Return one run of what several hold."""
    words = pc.unique(pa.concat_arrays([run.words for run in runs]))
    records, at = np.empty(sum(len(run.records) for run in runs), RECORD), 0
    for run in runs:
        part = records[at : at + len(run.records)]
        part[:] = run.records[:]
        _put_words(part, run.words, words)
        at += len(part)
    together = Columns(records, np.concatenate([run.series() for run in runs]), words)
    files = frozenset[int]().union(*(run.files for run in runs))
    level = max(run.level for run in runs) + 1
    return ordered(together, files, max(run.newest for run in runs), level)


def _put_words(records: Records, own: pa.Array, words: pa.Array) -> None:
    """Give records the numbers that their words have among others."""
    numbers = pc.index_in(own, value_set=words).to_numpy()
    records["boot"] = numbers[records["boot"]]
    is_text = records["kind"] == TEXT
    if is_text.any():
        records["value"][is_text] = numbers[records["value"][is_text].astype(np.int64)]


def without(run: Run, gone: frozenset[int], folder: Path | None) -> Run:
    """Return a run without the records of some files; words that nothing says any more stay."""
    records = run.records[:]
    kept = ~np.isin(records["file"], list(gone))
    left = Columns(records[kept], run.series()[kept], run.words)
    found = ordered(left, run.files - gone, run.newest, run.level)
    return found.spilled(folder) if folder and run.is_spilled else found
