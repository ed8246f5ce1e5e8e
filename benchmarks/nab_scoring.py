"""NAB's score of our own: windows, positions, profiles, five folds by file; alarms as counts."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
PROFILES = {"standard": (0.11, 1.0), "low_FP": (0.22, 1.0), "low_FN": (0.11, 2.0)}
"""What a false row and a missed window cost; a found window is worth 1."""


@dataclass(frozen=True, slots=True)
class Series:
    """A labelled file: its values, and the first and last row of each window."""

    values: Numbers
    windows: tuple[tuple[int, int], ...]


def read(folder: Path) -> dict[str, Series]:
    """Read the labelled files below a folder."""
    found = {}
    for name, windows in json.loads((folder / "windows.json").read_text()).items():
        with (folder / "data" / name).open() as lines:
            rows = list(csv.reader(lines))[1:]
        times = np.array([row[0].replace(" ", "T") for row in rows], "datetime64[us]")
        places = []
        for pair in windows:
            first, last = (np.datetime64(text.replace(" ", "T"), "us") for text in pair)
            inside = np.flatnonzero((times >= first) & (times <= last))
            places.append((int(inside[0]), int(inside[-1])))
        found[name] = Series(np.array([float(row[1]) for row in rows]), tuple(places))
    return found


@dataclass(frozen=True, slots=True)
class Gains:
    """What a file adds to the sum as the threshold falls: at each height, a gain."""

    heights: Numbers
    gains: Numbers


def gains_of(series: Series, scores: Numbers, profile: str) -> Gains:
    """Weigh a file's rows: -1 far from a window, near 1 at a window's start, past probation."""
    false_cost, missed_cost = PROFILES[profile]
    count = len(scores)
    rows = np.arange(count)
    weight, window = np.full(count, -1.0), np.full(count, -1)
    for place, (first, last) in enumerate(series.windows):
        length = last - first + 1
        inside = (rows >= first) & (rows <= last)
        window[inside] = place
        weight[inside] = _sigmoid(-(last - rows[inside] + 1) / length) / _sigmoid(-1.0)
        until = series.windows[place + 1][0] if place + 1 < len(series.windows) else count
        after = (rows > last) & (rows < until)
        position = (rows[after] - last) / max(length - 1, 1)
        weight[after] = np.where(position > 3.0, -1.0, _sigmoid(position))
    judged = rows >= min(int(0.15 * count), 750)
    outside = judged & (window < 0)
    heights, gains = [scores[outside]], [false_cost * weight[outside]]
    for place in range(len(series.windows)):
        held = np.flatnonzero(judged & (window == place))
        if not len(held):
            continue
        # Of a window's rows above a threshold the first counts.
        highest = np.maximum.accumulate(scores[held])
        records = np.flatnonzero(np.r_[True, highest[1:] > highest[:-1]])[::-1]
        worth = weight[held][records]
        heights.append(highest[records])
        gains.append(np.r_[worth[0] + missed_cost, np.diff(worth)])
    return Gains(np.concatenate(heights), np.concatenate(gains))


@dataclass(frozen=True, slots=True)
class Told:
    """What alarms say of a file's windows: delays are counted in rows from a window's start."""

    delays: tuple[int, ...]
    """Of each window that was found."""
    lengths: tuple[int, ...]
    """Of the same windows, in rows."""
    missed: int
    false: int
    """Alarms in no window."""


def told(series: Series, alarms: NDArray[np.bool_]) -> Told:
    """Count past probation; several alarms of one window are one."""
    rows = np.flatnonzero(alarms)
    rows = rows[rows >= min(int(0.15 * len(alarms)), 750)]
    is_false = np.ones(len(rows), bool)
    delays, lengths = [], []
    for first, last in series.windows:
        inside = (rows >= first) & (rows <= last)
        is_false &= ~inside
        if inside.any():
            delays.append(int(rows[inside][0] - first))
            lengths.append(last - first + 1)
    missed = len(series.windows) - len(delays)
    return Told(tuple(delays), tuple(lengths), missed, int(is_false.sum()))


def _sigmoid(position: Numbers | float) -> Numbers:
    return np.asarray(2.0 / (1.0 + np.exp(5.0 * np.asarray(position))) - 1.0)


def best(all_gains: Sequence[Gains]) -> tuple[float, float]:
    """Return the threshold of the greatest sum, and the sum."""
    heights = np.concatenate([each.heights for each in all_gains])
    order = np.argsort(-heights, kind="stable")
    heights = heights[order]
    sums = np.cumsum(np.concatenate([each.gains for each in all_gains])[order])
    last = np.flatnonzero(np.r_[heights[1:] != heights[:-1], True])
    place = last[sums[last].argmax()]
    return float(heights[place]), float(sums[place])


def at(gains: Gains, threshold: float) -> float:
    """Return the sum of a file at a threshold."""
    return float(gains.gains[gains.heights >= threshold].sum())


def percent(total: float, windows: int, profile: str) -> float:
    """Return a sum as NAB's score: 0 for no detection, 100 for perfect ones."""
    return 100.0 * total / ((1.0 + PROFILES[profile][1]) * windows)


def in_sample(all_gains: Mapping[str, Gains], windows: int, profile: str) -> tuple[float, float]:
    """Return the score at the best threshold over all files, and the threshold."""
    threshold, total = best(list(all_gains.values()))
    return percent(total, windows, profile), threshold


def five_fold(all_gains: Mapping[str, Gains], windows: int, profile: str) -> float:
    """Return the score where each file's threshold comes from the other folds.

    Files in alphabetical order; the n-th is of fold n modulo 5.
    """
    names = sorted(all_gains)
    total = 0.0
    for fold in range(5):
        held = names[fold::5]
        threshold, _ = best([all_gains[name] for name in names if name not in held])
        total += sum(at(all_gains[name], threshold) for name in held)
    return percent(total, windows, profile)
