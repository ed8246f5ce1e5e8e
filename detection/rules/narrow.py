"""Numbers in fewer bytes, for what is remembered of every series."""

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes, Matrix
from detection.rules.readings import Rows, Values

_MOST = float(np.finfo(np.float32).max) / 2


def padded(size: int) -> int:
    """Return a size in bytes, made a multiple of eight."""
    return -(-size // 8) * 8


def single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return numbers in four bytes; greater ones become the greatest."""
    return np.clip(values, -_MOST, _MOST).astype(np.float32)


ROUNDED_BY = 2.0**-11
"""Greatest share of its distance from the centre by which a number of two bytes is wrong."""
_MOST_HALF = float(np.finfo(np.float16).max)
_ROOM = 15
"""A half has room for what is below 2 to this power."""
_NONE = np.uint16(0x7E00)
"""The bits of a half that is no number: bytes of zeros stand for it."""
_BIAS = 4096
_NEARER = 4.0
"""A centre is moved where the numbers are so many times nearer to another one."""
_LEAST_OF_CENTRE = 2.0**-16
_MOST_OF_USUAL, _ALWAYS = 2.0**30, 2.0**20


class Halves:
    """Numbers of two bytes, a series a row: eleven digits of each one's distance from a centre.

    A number is centre + half · 2^power; the centre is one of the series' own. The power leaves room
    for all of them, but an absurd one is cut off, so that the others keep their digits. All zeros:
    no number anywhere.
    """

    HEAD_BYTES = 8

    def __init__(self, states: Bytes, count: int) -> None:
        self._centre = states[:, :4].view(np.float32)[:, 0]
        self._biased = states[:, 4:8].view(np.int32)[:, 0]
        """Power, and `_BIAS`; 0: every number is the centre, which is 0, or there is none."""
        self._bits = states[:, 8 : 8 + 2 * count].view(np.uint16)

    def __getitem__(self, places: tuple[Rows, Rows]) -> Values:
        """Return numbers, NaN where there is none."""
        return np.asarray(self._centre[places[0]] + self._away(places))

    def finest(self, places: tuple[Rows, Rows]) -> Values:
        """Return by how much each number may differ from what was put there."""
        return np.asarray(ROUNDED_BY * np.abs(self._away(places)))

    def move(self, places: tuple[Rows, Rows], towards: Values, share: float) -> None:
        """Move numbers a share of the way, a series once; where there is none, put it there.

        What would move by less than its last digit moves by that: nothing stays behind.
        """
        series = places[0]
        towards = np.clip(towards, -_MOST, _MOST)
        self._make_room(series, towards)
        before = self._half(places)
        wanted = self._halves(towards, series)
        moved = np.where(np.isnan(before), wanted, before + share * (wanted - before))
        new, goal, old = (each.astype(np.float16) for each in (moved, wanted, before))
        stays = (new == old) & (goal != old)
        new[stays] = np.nextafter(old[stays], goal[stays])
        self._bits[places] = new.view(np.uint16) ^ _NONE

    def settle(self, series: Rows) -> None:
        """Choose centres and powers anew where they have become poor ones."""
        numbers, before = self._numbers(series), self._centre[series].astype(np.float64)
        middle = single(_ranked(numbers, 1, 2)).astype(np.float64)
        far, near = (_ranked(np.abs(numbers - each[:, None]), 1, 2) for each in (before, middle))
        centre = np.where(far > _NEARER * near, middle, before)
        power = _power_for(numbers, centre)
        other = np.flatnonzero((centre != before) | (power + _BIAS != self._biased[series]))
        self._put(series[other], numbers[other], centre[other], power[other])

    def put(self, numbers: Matrix) -> None:
        """Remember the numbers of all series, a row each, NaN for none."""
        has = np.flatnonzero(np.isfinite(numbers).any(axis=1))
        centre = single(_ranked(numbers[has], 1, 2)).astype(np.float64)
        self._put(has, numbers[has], centre, _power_for(numbers[has], centre))

    def _put(self, series: Rows, numbers: Matrix, centre: Values, power: Rows) -> None:
        self._centre[series], self._biased[series] = centre, power + _BIAS
        halves = self._halves(numbers.T, series).T.astype(np.float16)
        self._bits[series] = np.where(np.isnan(numbers), _NONE, halves.view(np.uint16)) ^ _NONE

    def _make_room(self, series: Rows, numbers: Values) -> None:
        """Give series that have none a centre and a power, and others a greater one if need be."""
        unset = self._biased[series] == 0
        first = unset.copy()
        first[unset] = ~self._bits[series[unset]].any(axis=1)
        self._centre[series[first]] = single(numbers[first])
        distance = np.abs(numbers - self._centre[series])
        needs = _exponent(distance) - _ROOM > self._power(series)
        short = np.flatnonzero(needs | (unset & (np.abs(numbers) > 0)))
        if len(short):
            some, mine = series[short], self._numbers(series[short])
            centre = self._centre[some].astype(np.float64)
            power = _power_for(mine, centre, distance[short])
            least = np.where(unset[short], power, self._power(some))
            self._put(some, mine, centre, np.maximum(power, least))

    def _numbers(self, series: Rows) -> Matrix:
        halves = (self._bits[series] ^ _NONE).view(np.float16).astype(np.float64)
        away = np.ldexp(halves, self._power(series)[:, None])
        return np.asarray(self._centre[series][:, None] + away)

    def _half(self, places: tuple[Rows, Rows]) -> Values:
        return np.asarray((self._bits[places] ^ _NONE).view(np.float16).astype(np.float64))

    def _away(self, places: tuple[Rows, Rows]) -> Values:
        return np.asarray(np.ldexp(self._half(places), self._power(places[0])))

    def _halves(self, numbers: NDArray[np.float64], series: Rows) -> NDArray[np.float64]:
        """Return what halves stand for numbers; the series are the last axis."""
        away = np.ldexp(numbers - self._centre[series], -self._power(series))
        return np.asarray(np.clip(away, -_MOST_HALF, _MOST_HALF))

    def _power(self, series: Rows) -> Rows:
        biased = self._biased[series].astype(np.intp)
        return np.where(biased == 0, 0, biased - _BIAS)


def _power_for(numbers: Matrix, centre: Values, another: Values | None = None) -> Rows:
    """Return powers with room for the numbers, and another one each, but for absurd ones."""
    distances, size = np.abs(numbers - centre[:, None]), np.abs(centre)
    usual = _ranked(distances, 1, 2)
    away = _ranked(np.where(distances > 0, distances, np.nan), 1, 2)
    # Where most are the centre, there is nothing else to lose; an absurd one may be alone.
    scale = np.where((usual == 0) & (size > 0), size, away)
    most = np.where(scale > 0, np.maximum(_MOST_OF_USUAL * scale, _ALWAYS), np.inf)
    greatest = np.fmax(_ranked(distances, 1, 1), 0.0 if another is None else another)
    least = np.maximum(_LEAST_OF_CENTRE * size, usual)
    return np.maximum(_exponent(least), _exponent(np.minimum(greatest, most)) - _ROOM)


def _exponent(sizes: Values) -> Rows:
    """Return the power of two just above each size; a very small one for nothing."""
    return np.where(sizes > 0, np.frexp(sizes)[1], -1000).astype(np.intp)


def _ranked(numbers: Matrix, part: int, of: int) -> Values:
    """Return of each row the number that part of the others lie below; 0 where there is none."""
    ordered, count = np.sort(numbers, axis=1), np.isfinite(numbers).sum(axis=1)
    place = np.maximum(count - 1, 0) * part // of
    return np.where(count > 0, ordered[np.arange(len(numbers)), place], 0.0)
