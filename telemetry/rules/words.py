"""What may stand in a rule's fields: names, numbers, spans of time."""

from typing import Annotated

from msgspec import Meta

from telemetry.durations import micros, parse_duration
from telemetry.errors import HeadwaterError

NAME_PATTERN = r"^[A-Za-z0-9_:\-]{1,128}$"
Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
DeviceFull = Annotated[str, Meta(pattern=r"^([A-Za-z0-9_:\-]{1,128}\.)?[A-Za-z0-9_:\-]{1,128}$")]
Words = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
Number = Annotated[float, Meta(ge=-1e100, le=1e100)]
NotNegative = Annotated[float, Meta(ge=0, le=1e100)]
Positive = Annotated[float, Meta(gt=0, le=1e100)]
Span = str
"""A duration as people write it, `5 min`; whoever declares one checks it by `span_us`."""


def span_us(field: str, text: Span, *, least_us: int = 1) -> int:
    """Return whole microseconds; raise `ValueError` that names the field for what is no span."""
    try:
        found = micros(parse_duration(text))
    except HeadwaterError as error:
        raise ValueError(f"{field}: {error}") from None
    if found is None or found < least_us:
        raise ValueError(f"{field}: {text!r} must be a span of {least_us / 1e6:g} s or more")
    return found


def check_spans(owner: object, *fields: str, least_us: int = 1) -> None:
    """Raise `ValueError` for the first of the owner's fields that is no span."""
    for field in fields:
        span_us(field, getattr(owner, field), least_us=least_us)
