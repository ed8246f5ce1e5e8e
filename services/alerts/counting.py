"""Counts of a message: however they are split, they add up to the alerts that it tells."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from services.alerts.life import Life

MOST = 20
OTHERS, NONE = "others", "none"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many alerts, and of which words, severities, rules and zones."""

    alerts: int
    by_word: dict[str, int]
    by_severity: dict[str, int]
    by_rule: dict[str, int]
    by_zone: dict[str, int]


def counted(lives: Iterable[Life]) -> Counts:
    """Count alerts; beyond the most frequent rules and zones, the rest is one number."""
    known = list(lives)
    return Counts(
        len(known),
        dict(Counter[str](life.word for life in known)),
        dict(Counter[str](life.severity for life in known)),
        _most(Counter(life.rule for life in known)),
        _most(Counter(life.zone or NONE for life in known)),
    )


def _most(found: Counter[str]) -> dict[str, int]:
    if len(found) <= MOST:
        return dict(found.most_common())
    shown = dict(found.most_common(MOST - 1))
    rest = found.total() - sum(shown.values())
    # A rule or zone may itself be called so.
    return {**shown, OTHERS: shown.get(OTHERS, 0) + rest}
