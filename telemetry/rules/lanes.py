"""Which lane judges a rule: `scoring` remembers series, `fast` looks at each reading alone."""

from typing import Literal

from telemetry.rules.checks import Check, Range, Ratio, Seasonal, Threshold, kind_of

Lane = Literal["scoring", "fast"]
FAST_KINDS = "threshold, range, seasonal, and ratio against the season"


def check_fast(check: Check) -> None:
    """Raise `ValueError` for a check that must remember more than stored baselines."""
    if isinstance(check, Threshold | Range | Seasonal):
        return
    if isinstance(check, Ratio) and check.against == "season":
        return
    raise ValueError(
        f"lane: fast judges each reading by itself or by a stored baseline ({FAST_KINDS}),"
        f" and {kind_of(check)} remembers more: leave `lane` out"
    )
