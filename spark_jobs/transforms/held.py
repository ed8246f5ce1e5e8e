"""What silver still holds whole: only windows of that are made again or removed, others stay.

Retention drops days of silver, but months of hours and years of days, so gold has windows whose
readings are gone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import polars as pl

_CLASS = "retention_class"
Since: TypeAlias = Mapping[tuple[str, str], datetime]
"""Moments by tenant and product."""


@dataclass(frozen=True, slots=True)
class Held:
    """The moments from which on nothing has been dropped; what is not named is held for ever."""

    since: Mapping[str, datetime] = field(default_factory=dict)
    """Of event times, by retention class."""
    received_since: Since = field(default_factory=dict)
    """Of times of receipt."""

    @property
    def whole(self) -> pl.Expr:
        """Return the filter of windows that begin where all readings are held."""
        start, kept = pl.col("window_start"), pl.col(_CLASS)
        return pl.all_horizontal(
            pl.lit(value=True),
            *((kept != name) | (start >= moment) for name, moment in self.since.items()),
        )

    def windows(self) -> list[str]:
        """Return the SQL conditions of the same windows."""
        return [
            f"(retention_class <> '{_quoted(name)}' or window_start >= '{moment.isoformat()}')"
            for name, moment in self.since.items()
        ]

    def hours(self) -> list[str]:
        """Return the SQL conditions of hours of delays of which all readings are held."""
        return conditions_since(self.received_since, "hour")

    @property
    def whole_hours(self) -> pl.Expr:
        """Return the filter of the same hours, for rows with tenant, product and hour."""
        return since(self.received_since, "hour")

    def of_classes(self, keys: pl.DataFrame, classes: Iterable[str]) -> pl.DataFrame:
        """Return keys of windows with each class in which they are whole, or as they are."""
        if not self.since:
            return keys
        named = pl.DataFrame({_CLASS: sorted(classes)}, schema={_CLASS: pl.String()})
        return keys.join(named, how="cross").filter(self.whole)


def since(moments: Since, column: str) -> pl.Expr:
    """Return the filter of rows whose time is not before the moment of their product."""
    return pl.all_horizontal(
        pl.lit(value=True),
        *(
            (pl.col("tenant") != tenant) | (pl.col("product") != product) | (pl.col(column) >= at)
            for (tenant, product), at in moments.items()
        ),
    )


def conditions_since(moments: Since, column: str) -> list[str]:
    """Return the SQL conditions of the same rows."""
    return [
        f"(tenant <> '{_quoted(tenant)}' or product <> '{_quoted(product)}'"
        f" or {column} >= '{at.isoformat()}')"
        for (tenant, product), at in moments.items()
    ]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
