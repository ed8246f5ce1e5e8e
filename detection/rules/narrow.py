"""Numbers in fewer bytes, for what is remembered of every series."""

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes
from detection.rules.readings import Rows, Values

_MOST = float(np.finfo(np.float32).max) / 2
_LEAST = float(np.finfo(np.float32).tiny)
_DIGITS = 16
ROUNDED_BY = 2.0**-_DIGITS
"""Greatest share by which a mean of three bytes is wrong."""


def padded(size: int) -> int:
    """Return a size in bytes, made a multiple of eight."""
    return -(-size // 8) * 8


def single(values: Values) -> NDArray[np.float32]:
    """Return numbers in four bytes; greater ones become the greatest."""
    return np.clip(values, -_MOST, _MOST).astype(np.float32)


class Means:
    """Numbers of three bytes, a series a row: sixteen binary digits and a single's exponent."""

    BYTES = 3

    def __init__(self, states: Bytes, count: int) -> None:
        self._high = states[:, : 2 * count].view(np.uint16)
        self._low = states[:, 2 * count : 3 * count]

    def __getitem__(self, places: tuple[Rows, Rows]) -> Values:
        bits = self._high[places].astype(np.uint32) << 16
        return np.asarray((bits | self._low[places].astype(np.uint32) << 8).view(np.float32), float)

    def __setitem__(self, places: tuple[Rows, Rows], values: Values) -> None:
        bits = single(_rounded(values)).view(np.uint32)
        self._high[places], self._low[places] = bits >> 16, bits >> 8 & 0xFF


def _rounded(values: Values) -> Values:
    share, power = np.frexp(np.where(np.abs(values) < _LEAST, 0.0, values))
    return np.asarray(np.ldexp(np.rint(np.ldexp(share, _DIGITS)), power - _DIGITS))
