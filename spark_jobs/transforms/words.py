"""Arrow columns of words, of one value, and masks of truth values."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

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
