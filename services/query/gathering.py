"""Windows as they are read: made fewer now and then, with what all of them add up to."""

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus

import polars as pl

from services.problems import Problem

Reduce = Callable[[pl.DataFrame], pl.DataFrame]
WAITING_ROWS = 256 * 1024
"""So many rows wait to be reduced."""
MOST_ROWS = 2_000_000
"""More that cannot be reduced are no answer that anybody could draw."""


class Gathered:
    """Rows of windows, at most about `waiting` more than `reduced` leaves of all of them."""

    def __init__(
        self, reduced: Reduce, *, waiting: int = WAITING_ROWS, most: int = MOST_ROWS
    ) -> None:
        self._reduced, self._waiting, self._most = reduced, waiting, most
        self._parts: list[pl.DataFrame] = []
        self._left = self._fresh = 0
        self.windows = self.readings = 0
        self.products = set[str]()

    def taken(self, parts: Iterable[pl.DataFrame]) -> int:
        """Take rows in and return how many; answer what is too much."""
        before = self.windows
        for part in parts:
            if not len(part):
                continue
            self.windows += len(part)
            self.readings += int(part["count"].sum() or 0)
            self.products.update(part["product"].unique())
            self._parts.append(part)
            self._fresh += len(part)
            if self._fresh > self._left + self._waiting:
                self._reduce()
        return self.windows - before

    def rows(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return what is left of all rows."""
        if not self._parts:
            return pl.DataFrame(schema=dict.fromkeys(columns, pl.Null()))
        self._reduce()
        return self._parts[0]

    def _reduce(self) -> None:
        rows = self._reduced(pl.concat(self._parts, how="vertical_relaxed"))
        self._parts, self._left, self._fresh = [rows], len(rows), 0
        if len(rows) > self._most:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"that is more than {self._most:,} buckets: ask for fewer points, for one zone or"
                " product, or for a part of the range",
            )
