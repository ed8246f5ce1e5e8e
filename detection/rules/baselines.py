"""Baselines that are stored: what is usual in each hour of the week, for series yet to learn."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from detection.rules.readings import Rows, Series, Times

HOURS = 168
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_MONDAY = 4
"""The first Monday after 1970 began, as a day since then."""


class Weeks(NamedTuple):
    """Baselines of one version (a day since 1970), a row a series, a column an hour of the week.

    Hours count from Monday 00:00 UTC; NaN where there is no past. A spread is the usual distance
    of a reading from the median, as a standard deviation.
    """

    version: int
    medians: NDArray[np.float32]
    spreads: NDArray[np.float32]

    def where(self, rows: Rows) -> "Weeks":
        """Return some of the series."""
        return Weeks(self.version, self.medians[rows], self.spreads[rows])


class Baselines(Protocol):
    """Where stored baselines are."""

    def version(self) -> int | None:
        """Return the newest version, None where there is none."""

    def weeks(self, series: Sequence[Series], version: int) -> Weeks:
        """Return the baselines of series, in their order."""


def hours_before(version: int) -> Times:
    """Return the hours of the week in which a version begins, in microseconds since 1970."""
    monday = version - (version - _MONDAY) % 7
    return monday * _DAY_US + np.arange(HOURS, dtype=np.int64) * _HOUR_US
