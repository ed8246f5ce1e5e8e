"""Times that devices write, read in columns: those in a usual form are told by words of bytes."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.schema import TIMESTAMP
from spark_jobs.transforms.words import Places, mask_of
from telemetry.message import parse_time

_FORMS = (b"0000-00-00T00:00:00.000Z", b"0000-00-00T00:00:00Z", b"0000-00-00T00:00:00.000000Z")
"""A zero is any digit. Times in other forms are read one by one."""
_WORD = 8
_ZERO = ord("0")
_NO_DIGIT = np.uint64(0x7676767676767676)
"""Added to bytes, it takes those that are 10 or more to 128 or more."""
_HIGH = np.uint64(0x8080808080808080)
_YEAR = 0xFFFFFFFF


def device_times(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return the times, null where there is none, and which of the texts are times."""
    if texts.null_count == len(texts):
        return texts.cast(TIMESTAMP), np.ones(len(texts), dtype=bool)
    is_null, is_usual = mask_of(texts.is_null()), usual(texts)
    try:
        if (is_usual | is_null).all():
            return texts.cast(TIMESTAMP), np.ones(len(texts), dtype=bool)
        times = pc.if_else(pa.array(is_usual), texts, None).cast(TIMESTAMP)
    except pa.ArrowInvalid:
        # A day or an hour that there is not.
        times, is_usual = pa.nulls(len(texts), TIMESTAMP), is_null
    others = pa.array(~is_usual & ~is_null)
    micros = [parse_time(text) for text in texts.filter(others).to_pylist()]
    times = pc.replace_with_mask(times, others, pa.array(micros, pa.int64()).cast(TIMESTAMP))
    return times, is_null | mask_of(times.is_valid())


def usual(texts: pa.Array) -> np.ndarray:
    """Tell which texts have a form in which most devices write times, of a year from 1 on.

    A day or an hour in it need not be there.
    """
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    content = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    begin, length = offsets[:-1], np.diff(offsets)
    found = np.zeros(len(texts), dtype=bool)
    for form in _FORMS:
        rows = np.flatnonzero(length == len(form))
        if len(rows):
            found[rows] = _have(content, begin[rows], form)
    return found


def _have(content: np.ndarray, begin: Places, form: bytes) -> np.ndarray:
    """Tell which texts have a form, each of them as long as it."""
    anywhere = np.ndarray((len(content) - _WORD + 1,), "<u8", content, strides=(1,))
    differs = np.zeros(len(begin), np.uint64)
    for start in (*range(0, len(form) - _WORD, _WORD), len(form) - _WORD):
        part = form[start : start + _WORD]
        signs = bytes(0 if byte == _ZERO else 0xFF for byte in part)
        said = anywhere[begin + start] ^ np.frombuffer(part, "<u8")
        differs |= (said & np.frombuffer(signs, "<u8")) | ((said + _NO_DIGIT | said) & _HIGH)
        if not start:
            differs |= (said & np.uint64(_YEAR)) == 0
    has: np.ndarray = differs == 0
    return has
