"""Chance without a memory: a number follows from what it is asked for, in any order."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_Numbers = NDArray[np.int64]
_Words = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seed: int, first: _Numbers, second: _Numbers) -> NDArray[np.float64]:
    """Return a number within (0, 1) for each pair, by SplitMix64 (Steele, Lea, Flood, 2014)."""
    mixed = np.full(first.shape, seed, np.uint64)
    for part in (first, second):
        mixed = _mix(mixed ^ (part.astype(np.uint64) * _GOLDEN + _GOLDEN))
    return np.asarray(((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53)


def normal(seed: int, first: _Numbers, second: _Numbers) -> NDArray[np.float64]:
    """Return a standard normal number for each pair."""
    return np.asarray(ndtri(uniform(seed, first, second)))


def _mix(value: _Words) -> _Words:
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return np.asarray(value ^ (value >> np.uint64(31)))
