"""What an evaluator remembers as bytes: named arrays, and what is said of them in JSON."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from detection.rules.batches import Arrays
from telemetry.errors import HeadwaterError

FORMAT = 3
READ_FORMATS = (1, 2, FORMAT)
"""What formats before remember is made new by `older_state`."""


def packed(said: Mapping[str, object], arrays: Arrays) -> bytes:
    """Return both as bytes; the same ones for the same content."""
    text = orjson.dumps({"format": FORMAT, **said})
    file = io.BytesIO()
    np.savez(file, **arrays, said=np.frombuffer(text, np.uint8))  # type: ignore[arg-type]
    return file.getvalue()


def unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what `packed` was given; raise `HeadwaterError` for what is none of ours."""
    try:
        arrays = dict(np.load(io.BytesIO(content), allow_pickle=False))
        said = orjson.loads(arrays.pop("said").tobytes())
    except (ValueError, KeyError, OSError) as error:
        raise HeadwaterError(f"this is no state of rules: {error}") from error
    if said["format"] not in READ_FORMATS:
        raise HeadwaterError(f"this state of rules has format {said['format']}, not {FORMAT}")
    return said, arrays


def prefixed(place: int, arrays: Arrays) -> Arrays:
    """Return the arrays of the rule that stands at a place, under names of its own."""
    return {f"{place}.{name}": array for name, array in arrays.items()}


def of_place(place: int, arrays: Mapping[str, NDArray[np.generic]]) -> Arrays:
    """Return what `prefixed` was given."""
    start = f"{place}."
    return {
        name.removeprefix(start): array
        for name, array in arrays.items()
        if name.startswith(start)
    }  # fmt: skip
