"""JSON lines to columns, many at once: only lines that can have but one meaning."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from spark_jobs.transforms.line_checks import may_fit
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
Read = Callable[[pa.BinaryArray, pa.Schema], tuple[pa.Table | None, int | None]]


class Parsed(NamedTuple):
    """The columns of lines, and the places of those lines; the others did not fit."""

    columns: pa.Table
    places: Places


def braced(lines: pa.BinaryArray) -> np.ndarray:
    """Tell which lines begin and end with a brace and are not long; none is looked through."""
    lengths = pc.binary_length(lines).fill_null(0).to_numpy()
    offsets, content = _parts(lines)
    fits = (lengths > 1) & (lengths <= LONGEST)
    first, last = offsets[:-1] * fits, (offsets[1:] - 1) * fits
    return np.array(fits & (content[first] == _BRACES[0]) & (content[last] == _BRACES[1]))


def _parts(lines: pa.BinaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Return where lines begin and end, and all bytes."""
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset :][: len(lines) + 1]
    return offsets, np.frombuffer(lines.buffers()[2] or b"\0", np.uint8)


def beginnings(lines: pa.BinaryArray) -> np.ndarray:
    """Return the first bytes of each line as a number; of a short line they go beyond its end."""
    offsets, content = _parts(lines)
    count = len(content) - _BEGIN + 1
    if count < 1:
        return np.zeros(len(lines), dtype=np.uint64)
    anywhere = np.ndarray((count,), np.dtype("<u8"), content, strides=(1,))
    found: np.ndarray = anywhere[np.minimum(offsets[:-1], count - 1)]
    return found


def alike(begin: np.ndarray, rows: Places) -> list[Places]:
    """Return the rows that begin like most of them, and the others where there are some.

    What does not fit begins unlike most very often, and fails all that are parsed with it.
    """
    found = begin[rows]
    is_usual = found == _usual(found)
    return [rows] if is_usual.all() else [rows[is_usual], rows[~is_usual]]


def _usual(found: np.ndarray) -> int:
    some = int(found[len(found) // 2])
    if 2 * np.count_nonzero(found == some) > len(found):
        return some
    values, counts = np.unique(found, return_counts=True)
    return int(values[counts.argmax()])


def plain(lines: pa.BinaryArray) -> np.ndarray:
    """Tell which lines are UTF-8, one braced text in one line, without escape or null."""
    fits = braced(lines)
    if fits.all():
        return _plain(lines)
    # A few long ones may hold most of the bytes: these are not looked through.
    fits[fits] = _plain(lines.filter(pa.array(fits)))
    return fits


def _plain(lines: pa.BinaryArray) -> np.ndarray:
    offsets, content = _parts(lines)
    fits = np.ones(len(lines), dtype=bool)
    fits[_rows_with_doubtful(content[offsets[0] : offsets[-1]], offsets - offsets[0])] = False
    return np.array(fits & _is_utf8(lines, fits))


def _rows_with_doubtful(content: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the rows, some of them more than once, where a doubtful sign begins."""
    found = [_positions(content, sign) for sign in _DOUBTFUL]
    return np.searchsorted(offsets, np.concatenate(found), side="right") - 1


def _positions(content: np.ndarray, sign: bytes) -> np.ndarray:
    count = max(len(content) - len(sign) + 1, 0)
    found = np.flatnonzero(content[:count] == sign[0])
    for ahead, byte in enumerate(sign[1:], start=1):
        found = found[content[found + ahead] == byte]
    return found


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


def read_all(lines: pa.BinaryArray, schema: pa.Schema) -> tuple[pa.Table | None, int | None]:
    """Parse lines at once; return the columns, or the row that does not fit where it is known."""
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


def parsed(lines: pa.BinaryArray, schema: pa.Schema, read: Read = read_all) -> Parsed:
    """Parse plain lines into the schema's columns.

    A line with another field, a field twice, or a value of another type does not fit. One such
    line fails all that are parsed with it. Then each is looked at by itself, and what fits is
    parsed together; a misfit that is left is closed in on.
    """
    found, row = read(lines, schema)
    if found is not None:
        return Parsed(found, np.arange(len(lines)))
    kept = may_fit(lines, schema)
    if row is not None and row < len(lines):
        kept[row] = False
    places = np.flatnonzero(kept)
    tables, fits = _closed_in(lines.filter(pa.array(kept)), schema, read)
    return Parsed(pa.concat_tables(tables) if tables else schema.empty_table(), places[fits])


def _closed_in(
    lines: pa.BinaryArray, schema: pa.Schema, read: Read
) -> tuple[list[pa.Table], np.ndarray]:
    """Return the columns of the lines that fit, and which those are.

    Near a line that failed only some are tried at once. Many misfits end the trying.
    """
    tables: list[pa.Table] = []
    fits = np.zeros(len(lines), dtype=bool)
    first, at_once, tries = 0, len(lines), float(_TRIES)
    bad = 0  # the end of what is known to hold a misfit, where that is not before `first`
    while first < len(lines) and tries >= 1 and (tables or tries > _TRIES - _FRUITLESS):
        tries -= 1
        count = min(at_once, len(lines) - first)
        found, row = read(lines.slice(first, count), schema)
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
    return tables, fits
