"""JSON lines to columns, many at once: only lines that can have but one meaning."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from spark_jobs.transforms.senders import Places

LONGEST = 64 * 1024
_BRACES = tuple(b"{}")
_DOUBTFUL = (b"\\", b"null", b"\n")
"""An escape, a null (which columns would take for an absent field), or the end of a line."""
_BEGIN = 8
"""Bytes: the brace, the first field's name and what its value begins with."""
_FEW = 8
_ROW = re.compile(r" in row (\d+)")


class Parsed(NamedTuple):
    """The columns of lines, and the places of those lines; the others did not fit."""

    columns: pa.Table
    places: Places


def plain(lines: pa.BinaryArray) -> np.ndarray:
    """Tell which lines are UTF-8, one braced text in one line, without escape or null."""
    lengths = pc.binary_length(lines).fill_null(0).to_numpy()
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :][: len(lines) + 1]
    content = np.frombuffer(lines.buffers()[2] or b"\0", np.uint8)
    fits = (lengths > 1) & (lengths <= LONGEST)
    first, last = offsets[:-1] * fits, (offsets[1:] - 1) * fits
    fits &= (content[first] == _BRACES[0]) & (content[last] == _BRACES[1])
    rows = np.flatnonzero(fits)
    kept = lines if len(rows) == len(lines) else lines.take(pa.array(rows))
    fits[rows] = ~_has_doubtful(kept) & _is_utf8(kept)
    return np.array(fits)


def _has_doubtful(lines: pa.BinaryArray) -> np.ndarray:
    found = np.zeros(len(lines), dtype=bool)
    whole = pc.binary_join(_in_one_list(lines), b"")[0].as_buffer().to_pybytes()
    for sign in _DOUBTFUL:
        if sign in whole:
            found |= pc.match_substring(lines, sign).to_numpy(zero_copy_only=False)
    return found


def _in_one_list(lines: pa.BinaryArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)


def _is_utf8(lines: pa.BinaryArray) -> np.ndarray:
    try:
        lines.cast(pa.string())
    except pa.ArrowInvalid:
        return np.array([_decodes(line) for line in lines.to_pylist()], dtype=bool)
    return np.ones(len(lines), dtype=bool)


def _decodes(line: bytes | None) -> bool:
    try:
        (line or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def parsed(lines: pa.BinaryArray, schema: pa.Schema) -> Parsed:
    """Parse plain lines into the schema's columns.

    A line with another field, a field twice, or a value of another type does not fit. One such
    line fails all that are parsed with it. So lines that begin unlike most are parsed by
    themselves, and near a line that failed only some are tried at once.
    """
    found = [_fitting(*alike, schema) for alike in _alike(lines)]
    tables = [table for tables, _ in found for table in tables]
    return Parsed(
        pa.concat_tables(tables) if tables else schema.empty_table(),
        np.concatenate([np.zeros(0, dtype=np.int64), *(places for _, places in found)]),
    )


def _alike(lines: pa.BinaryArray) -> Iterator[tuple[pa.BinaryArray, Places]]:
    """Yield the lines that begin like most, and the others, with their places."""
    places = np.arange(len(lines))
    begin = pc.binary_slice(lines, 0, _BEGIN)
    counts = pc.value_counts(begin)
    if len(counts) < 2:
        yield lines, places
        return
    most = counts.field(0)[int(np.argmax(counts.field(1).to_numpy()))]
    is_usual = pc.equal(begin, most).to_numpy(zero_copy_only=False)
    for rows in (places[is_usual], places[~is_usual]):
        yield lines.take(pa.array(rows)), rows


def _fitting(
    lines: pa.BinaryArray, places: Places, schema: pa.Schema
) -> tuple[list[pa.Table], Places]:
    """Return the columns of the lines that fit, and their places; many misfits end the trying."""
    tables, fits = [], np.zeros(len(lines), dtype=bool)
    first, at_once, misfit, tries = 0, len(lines), -1, 64 + len(lines) // 10
    while first < len(lines) and tries:
        tries -= 1
        count = min(at_once, len(lines) - first)
        found, row = _read(lines.slice(first, count), schema)
        if found is not None:
            tables.append(found)
            fits[first : first + count] = True
            first += count
            at_once = max(4 * count, _FEW)
            first += first == misfit
        elif count == 1 or row == 0:
            first += 1
            at_once = max(at_once // 2, _FEW)
        elif row is not None and row < count:
            at_once, misfit = row, first + row
        else:
            at_once = count // 2
    return tables, places[fits]


def _read(lines: pa.BinaryArray, schema: pa.Schema) -> tuple[pa.Table | None, int | None]:
    """Return the columns, or the row that does not fit where it is known."""
    text = pc.binary_join(_in_one_list(lines), b"\n")[0].as_buffer()
    options = pj.ReadOptions(use_threads=False, block_size=text.size + 1)
    form = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    try:
        found = pj.read_json(pa.BufferReader(text), read_options=options, parse_options=form)
    except pa.ArrowException as error:
        at = _ROW.search(str(error))
        return None, int(at[1]) if at else None
    # Each line begins and ends with a brace: as many rows as lines is a row a line.
    return (found, None) if found.num_rows == len(lines) else (None, None)
