"""JSON lines to columns, many at once: only lines that can have but one meaning."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from spark_jobs.transforms.words import Places

LONGEST = 64 * 1024
_BRACES = tuple(b"{}")
_DOUBTFUL = (b"\\", b"null", b"\n")
"""An escape, a null (which columns would take for an absent field), or the end of a line."""
_BEGIN = 8
"""Bytes: the brace, the first field's name and what its value begins with."""
_FEW = 8
_TRIES = 32
_FRUITLESS = 20
"""Tries without a line that fits: then none is likely to, and one by one costs less."""
_PAYS = 8
"""Lines that fit pay for one more try: judged one by one they would cost about as much."""
_ROW = re.compile(r" in row (\d+)")


class Parsed(NamedTuple):
    """The columns of lines, and the places of those lines; the others did not fit."""

    columns: pa.Table
    places: Places


def plain(lines: pa.BinaryArray) -> np.ndarray:
    """Tell which lines are UTF-8, one braced text in one line, without escape or null."""
    lengths = pc.binary_length(lines).fill_null(0).to_numpy()
    is_short = lengths <= LONGEST
    if is_short.all():
        return _plain(lines, lengths)
    # A few long ones may hold most of the bytes: these are not looked through.
    found = np.zeros(len(lines), dtype=bool)
    found[is_short] = _plain(lines.filter(pa.array(is_short)), lengths[is_short])
    return found


def _plain(lines: pa.BinaryArray, lengths: np.ndarray) -> np.ndarray:
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :][: len(lines) + 1]
    content = np.frombuffer(lines.buffers()[2] or b"\0", np.uint8)
    fits = lengths > 1
    first, last = offsets[:-1] * fits, (offsets[1:] - 1) * fits
    fits &= (content[first] == _BRACES[0]) & (content[last] == _BRACES[1])
    fits[_rows_with_doubtful(content[offsets[0] : offsets[-1]], offsets - offsets[0])] = False
    return np.array(fits & _is_utf8(lines, fits))


def _rows_with_doubtful(content: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the rows, some of them more than once, where a doubtful sign begins."""
    found = [_positions(content, sign) for sign in _DOUBTFUL]
    return np.searchsorted(offsets, np.concatenate(found), side="right") - 1


def _positions(content: np.ndarray, sign: bytes) -> np.ndarray:
    count = max(len(content) - len(sign) + 1, 0)
    is_there = content[:count] == sign[0]
    for ahead, byte in enumerate(sign[1:], start=1):
        is_there &= content[ahead : ahead + count] == byte
    return np.flatnonzero(is_there)


def _is_utf8(lines: pa.BinaryArray, asked: np.ndarray) -> np.ndarray:
    """Tell which lines are UTF-8; of what is not asked for, it may say anything."""
    try:
        lines.cast(pa.string())
    except pa.ArrowInvalid:
        is_ascii = pc.string_is_ascii(lines.view(pa.string())).fill_null(True)
        found = np.array(is_ascii.to_numpy(zero_copy_only=False))
        others = np.flatnonzero(asked & ~found)
        found[others] = [_decodes(line) for line in lines.take(pa.array(others)).to_pylist()]
        return found
    return np.ones(len(lines), dtype=bool)


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
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
    tables: list[pa.Table] = []
    fits = np.zeros(len(lines), dtype=bool)
    first, at_once, tries = 0, len(lines), float(_TRIES)
    bad = 0  # the end of what is known to hold a misfit, where that is not before `first`
    while first < len(lines) and tries >= 1 and (tables or tries > _TRIES - _FRUITLESS):
        tries -= 1
        count = min(at_once, len(lines) - first)
        found, row = _read(lines.slice(first, count), schema)
        if found is not None:
            tables.append(found)
            fits[first : first + count] = True
            tries += count / _PAYS
            first += count
        elif row is not None and row < count:
            bad = first + row + 1
        else:
            bad = first + count
        first += bad - first == 1
        known = bad - first - 1 if row is not None else (bad - first) // 2
        at_once = known if bad > first else max(4 * count, _FEW) if found else _FEW
    return tables, places[fits]


def _read(lines: pa.BinaryArray, schema: pa.Schema) -> tuple[pa.Table | None, int | None]:
    """Return the columns, or the row that does not fit where it is known."""
    in_one_list = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    text = pc.binary_join(in_one_list, b"\n")[0].as_buffer()
    options = pj.ReadOptions(use_threads=False, block_size=text.size + 1)
    form = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    try:
        found = pj.read_json(pa.BufferReader(text), read_options=options, parse_options=form)
    except pa.ArrowException as error:
        at = _ROW.search(str(error))
        return None, int(at[1]) if at else None
    # Each line begins and ends with a brace: as many rows as lines is a row a line.
    return (found, None) if found.num_rows == len(lines) else (None, None)
