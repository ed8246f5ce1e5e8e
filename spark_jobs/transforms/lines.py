"""JSON lines to columns, many at once: only lines that can have but one meaning."""

import re
from collections.abc import Sequence
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
    whole = content[offsets[0] : offsets[-1]].tobytes()
    for sign in _DOUBTFUL:
        if sign in whole:
            has = pc.match_substring(lines, sign).fill_null(True)
            fits &= ~has.to_numpy(zero_copy_only=False)
    found: np.ndarray = fits & _is_utf8(lines)
    return found


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
    line fails all that are parsed with it, so those are tried again without it; many of them end
    the trying.
    """
    fitting: list[tuple[pa.Table, int, int]] = []
    spans, tries = [(0, len(lines))], 64 + len(lines) // 10
    while spans and tries:
        first, until = spans.pop()
        if first == until:
            continue
        tries -= 1
        found, row = _read(lines.slice(first, until - first), schema)
        if found is not None:
            fitting.append((found, first, until))
        elif until - first > 1:
            spans += _around(first, until, row)
    places = [np.arange(first, until) for _, first, until in fitting]
    return Parsed(
        pa.concat_tables([found for found, _, _ in fitting]) if fitting else schema.empty_table(),
        np.concatenate(places) if places else np.zeros(0, dtype=np.int64),
    )


def _around(first: int, until: int, row: int | None) -> Sequence[tuple[int, int]]:
    if row is None or first + row >= until:
        middle = (first + until) // 2
        return (first, middle), (middle, until)
    return (first, first + row), (first + row + 1, until)


def _read(lines: pa.BinaryArray, schema: pa.Schema) -> tuple[pa.Table | None, int | None]:
    """Return the columns, or the row that does not fit where it is known."""
    together = pc.binary_join(
        pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines), b"\n"
    )
    text = together[0].as_buffer()
    options = pj.ReadOptions(use_threads=False, block_size=text.size + 1)
    form = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    try:
        found = pj.read_json(pa.BufferReader(text), read_options=options, parse_options=form)
    except pa.ArrowException as error:
        at = _ROW.search(str(error))
        return None, int(at[1]) if at else None
    # Each line begins and ends with a brace: as many rows as lines is a row a line.
    return (found, None) if found.num_rows == len(lines) else (None, None)
