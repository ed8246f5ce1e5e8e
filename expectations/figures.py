"""Expectations of figures that need no row: how fresh, how many, and gold against silver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from great_expectations.expectations.core.expect_column_pair_values_to_be_equal import (
    ExpectColumnPairValuesToBeEqual,
)
from great_expectations.expectations.core.expect_column_values_to_be_between import (
    ExpectColumnValuesToBeBetween,
)
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

OLDEST_MINUTES = 60.0
LEAST_SHARE = 0.2
GREATEST_SHARE = 5.0


@dataclass(frozen=True, slots=True)
class Flow:
    """How a table grew: minutes since its last row, and its last closed day beside those before.

    `share` is the rows of the last closed day over the mean of up to seven days before it; None
    while there are fewer than three.
    """

    table: str
    age_minutes: float | None
    share: float | None


def flow_frame(flows: Sequence[Flow]) -> pd.DataFrame:
    """Return one row with two columns a table."""
    figures: dict[str, list[float | None]] = {}
    for flow in flows:
        figures[_age(flow.table)] = [flow.age_minutes]
        figures[_share(flow.table)] = [flow.share]
    return pd.DataFrame(figures, dtype="float64")


def flow_suite(flows: Sequence[Flow]) -> Mapping[str, Sequence[Expectation]]:
    """Return for each table what is expected of its flow: warnings, since devices may be silent."""
    return {
        flow.table: (
            ExpectColumnValuesToBeBetween(
                column=_age(flow.table),
                max_value=OLDEST_MINUTES,
                severity=FailureSeverity.WARNING,
            ),
            ExpectColumnValuesToBeBetween(
                column=_share(flow.table),
                min_value=LEAST_SHARE,
                max_value=GREATEST_SHARE,
                severity=FailureSeverity.WARNING,
            ),
        )
        for flow in flows
    }


def _age(table: str) -> str:
    return f"{table}: minutes since the last row"


def _share(table: str) -> str:
    return f"{table}: last closed day over the days before"


def count_suite(gold_tables: Sequence[str]) -> Mapping[str, Sequence[Expectation]]:
    """Return for each gold table: it counts, in each window, what silver and late hold."""
    return {
        name: (
            ExpectColumnPairValuesToBeEqual(
                column_A=name,
                column_B="silver",
                description=f"{name} counts what silver.readings and silver.late hold",
            ),
        )
        for name in gold_tables
    }
