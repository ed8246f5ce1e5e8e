"""How far beyond its bound something is, as a score from 0 to 1: 0.5 at the bound."""

from telemetry.rules.checks import Check, Detector, Ewma, Mad, Range, Seasonal, Several, ZScore


def score(check: Check, subject: float, bound: float, centre: float, scale: float) -> float:
    """Return r / (r + 1) to six decimals.

    r is how many times the bound is reached: of checks that count deviations, the deviation over
    its limit; else one and the distance beyond the bound, in units of the bound (of a range, of its
    width). `detector` and `several` score themselves.
    """
    if isinstance(check, Detector | Several):
        return round(subject, 6)
    if isinstance(check, ZScore | Mad | Ewma | Seasonal):
        ratio = abs(subject - centre) / scale / check.deviations
    else:
        unit = check.high - check.low if isinstance(check, Range) else abs(bound)
        ratio = 1.0 + abs(subject - bound) / (unit or 1.0)
    return round(ratio / (ratio + 1.0), 6)
