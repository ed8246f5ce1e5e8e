"""Arrow columns of words, of one value, and masks of truth values."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from spark_jobs.transforms.judgement import WORD


def words(said: Sequence[str | None], places: np.ndarray) -> pa.Array:
    """Return the words at the places among them."""
    return pa.array(said, pa.string()).dictionary_encode().take(pa.array(places))


def word(said: str | None, count: int) -> pa.Array:
    """Return one word as often as asked."""
    if said is None:
        return pa.nulls(count, WORD)
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([said]))


def repeated(value: int | None, type_: pa.DataType, count: int) -> pa.Array:
    """Return one value as often as asked."""
    return pa.repeat(pa.scalar(value, type_), count)


def mask_of(flags: pa.Array) -> np.ndarray:
    """Return truth values as numpy has them."""
    found: np.ndarray = flags.to_numpy(zero_copy_only=False)
    return found
