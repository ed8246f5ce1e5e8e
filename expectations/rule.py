"""A rule of one row: a sentence, and the SQL that is true where it holds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from great_expectations.expectations.core.expect_column_values_to_be_in_set import (
    ExpectColumnValuesToBeInSet,
)
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Severity = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Holds where `sql` is true, and where a null leaves it open: nulls are judged apart.

    A critical rule blocks what is made from the table; a warning tells.
    """

    sentence: str
    sql: str
    severity: Severity = "critical"
    share: float = 1.0
    """How many of the rows must hold."""


def with_rules(frame: DataFrame, rules: Sequence[Rule]) -> DataFrame:
    """Add a column for each rule, named by its sentence: one scan then judges them all."""
    held = [F.coalesce(F.expr(rule.sql), F.lit(True)).alias(rule.sentence) for rule in rules]
    return frame.select("*", *held)


def expectation(rule: Rule) -> Expectation:
    """Return the expectation that a rule holds in every row."""
    return ExpectColumnValuesToBeInSet(
        column=rule.sentence,
        value_set=[True],
        mostly=rule.share,
        description=rule.sentence,
        notes=rule.sql,
        severity=FailureSeverity(rule.severity),
    )


def apart(rules: Iterable[Rule]) -> Sequence[Rule]:
    """Return rules whose sentences can be columns of Spark beside one another.

    Those that differ in case alone are numbered, and a backtick is a quote, which no column bears.
    """
    seen = Counter[str]()
    found = []
    for rule in rules:
        plain = rule.sentence.replace("`", "'")
        folded = plain.lower()
        seen[folded] += 1
        number = f" ({seen[folded]})" if seen[folded] > 1 else ""
        found.append(replace(rule, sentence=plain + number))
    return found


def one_of(column: str, *values: str) -> Rule:
    """Return the rule that a column holds one of a few words."""
    words = ", ".join(f"'{value}'" for value in values)
    return Rule(f"{column} is one of {' '.join(values)}", f"{column} in ({words})")


def date_of(date: str, time: str) -> Rule:
    """Return the rule that a partition's date is the UTC date of a time."""
    return Rule(f"{date} is the date of {time}", f"{date} = to_date({time})")
