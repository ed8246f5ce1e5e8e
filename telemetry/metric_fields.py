"""The fields of a metric's declaration, each by itself: what would stop the judging later."""

import math
from collections.abc import Iterator, Mapping

METRIC_FIELDS = {"type", "unit", "kind", "min", "max", "required", "sentinels", "values"}


def wrong_field(spec: Mapping[str, object]) -> str | None:
    """Return what is wrong with the first field that is, None where none is."""
    return next(_wrong(spec), None)


def _wrong(spec: Mapping[str, object]) -> Iterator[str]:
    unknown = set(spec) - METRIC_FIELDS
    if unknown:
        yield f"unknown field {', '.join(sorted(unknown))}"
    for name in ("min", "max"):
        if spec.get(name) is not None and not _is_number(spec[name]):
            yield f"{name} must be a number"
    if not isinstance(spec.get("unit"), str | None):
        yield "unit must be a text"
    for name in ("sentinels", "values"):
        said = spec.get(name, ())
        if not isinstance(said, list | tuple):
            yield f"{name} must be a list"
        elif any(isinstance(each, int | float) and not _is_number(each) for each in said):
            yield f"{name} must be finite"


def _is_number(value: object) -> bool:
    """Say whether a value is a number that a double can be."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False  # a whole number of hundreds of digits
