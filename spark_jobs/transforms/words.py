"""Arrow columns of words, of one value, of names, and masks of truth values."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Places = np.ndarray
"""Whole numbers: rows of a batch or a table, or codes of them."""


def words(said: Sequence[str | None], places: np.ndarray) -> pa.Array:
    """Return the words at the places among them."""
    return pa.array(said, pa.string()).dictionary_encode().take(pa.array(places))


def repeated(value: int | None, type_: pa.DataType, count: int) -> pa.Array:
    """Return one value as often as asked."""
    return pa.repeat(pa.scalar(value, type_), count)


def mask_of(flags: pa.Array) -> np.ndarray:
    """Return truth values as numpy has them."""
    found: np.ndarray = flags.to_numpy(zero_copy_only=False)
    return found


def split_names(names: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return `telemetry.devices.split_full_name` of each."""
    parts = pc.split_pattern(names.fill_null(""), ".", max_splits=1)
    offsets = parts.offsets.to_numpy()
    first, last = (parts.values.take(pa.array(at)) for at in (offsets[:-1], offsets[1:] - 1))
    has_dot = pa.array(np.diff(offsets) == 2)
    return pc.if_else(has_dot, first, "default"), last
