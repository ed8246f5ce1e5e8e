"""A rule: a check, whose readings it is held against, and what must come together for an alarm."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from telemetry.alerts import Severity
from telemetry.rules.checks import (
    Check,
    Detector,
    Ewma,
    Mad,
    Model,
    NoData,
    Range,
    Ratio,
    Seasonal,
    Several,
    Stuck,
    ZScore,
    kind_of,
)
from telemetry.rules.lanes import Lane, check_fast
from telemetry.rules.schedule import Schedule, zone_named
from telemetry.rules.words import DeviceFull, Name, NotNegative, Span, Words, check_spans, span_us

MOST_READINGS = 64
"""No persistence looks further back: one bit a reading."""


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whose readings are watched; what is not named may be any of the tenant's."""

    product: Name | None = None
    zone: Words | None = None
    device: DeviceFull | None = None


class Persistence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An alarm is due once `k` of the last `n` readings broke the bound."""

    k: Annotated[int, Meta(ge=1, le=MOST_READINGS)] = 1
    n: Annotated[int, Meta(ge=1, le=MOST_READINGS)] = 1

    def __post_init__(self) -> None:
        if self.k > self.n:
            raise ValueError(f"k: {self.k} must be no more than n, {self.n}")


class Learning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No reading is judged before the series has seen so many, over so long."""

    readings: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    span: Span = "0 s"

    def __post_init__(self) -> None:
        check_spans(self, "span", least_us=0)

    @property
    def span_us(self) -> int:
        """The span in microseconds."""
        return span_us("span", self.span, least_us=0)


class Rule(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    rename={"name": "rule"},
):
    """What is watched and when an alarm is due.

    `least_deviation`: a reading must lie so far from its baseline, or beyond the bound where the
    check has no baseline, in the metric's unit. `hysteresis`: an alarm is over only so far within
    the bound, in the check's own measure (the metric's unit; deviations; a share of the baseline).
    `lane` fast: each breach is told within milliseconds as well, before scoring judges it.
    """

    name: Name
    check: Check
    tenant: Name = "default"
    metrics: Annotated[tuple[Words, ...], Meta(max_length=32)] = ()
    scope: Scope = Scope()
    severity: Severity = "warning"
    least_deviation: NotNegative = 0.0
    hysteresis: NotNegative = 0.0
    persistence: Persistence = Persistence()
    learning: Learning | None = None
    schedule: Schedule | None = None
    timezone: str = "UTC"
    connected_within: Span | None = None
    lane: Lane = "scoring"
    note: Annotated[str, Meta(max_length=1000)] = ""

    def __post_init__(self) -> None:
        zone_named(self.timezone)
        if self.connected_within is not None:
            check_spans(self, "connected_within", least_us=1_000_000)
        _check_metrics(self)
        _check_product(self.scope)
        _check_hysteresis(self)
        if self.lane == "fast":
            _check_lane(self)
        if isinstance(self.check, NoData):
            _check_silence(self)
        if isinstance(self.check, NoData | Several | Model) and self.learning is not None:
            raise ValueError(f"learning: a {kind_of(self.check)} rule has none of its own")

    @property
    def learns(self) -> Learning:
        """What must be seen before a reading is judged."""
        return self.learning or _usual_learning(self.check)


def _usual_learning(check: Check) -> Learning:
    """Return as much as the check's memory needs to mean something."""
    if isinstance(check, Mad):
        return Learning(readings=check.readings)
    if isinstance(check, ZScore | Ewma):
        return Learning(readings=min(check.readings, 200))
    if isinstance(check, Seasonal) or (isinstance(check, Ratio) and check.against == "season"):
        return Learning(readings=200, span="14 d")
    if isinstance(check, Ratio):
        return Learning(readings=10, span="1 h")
    return Learning()


def _check_metrics(rule: Rule) -> None:
    check, count = rule.check, len(rule.metrics)
    if isinstance(check, Several):
        fits, wanted = count >= 2, "two metrics or more"
    elif isinstance(check, Model):
        fits, wanted = count >= 1, "the model's metrics, in its order"
    elif isinstance(check, NoData):
        fits, wanted = count <= 1, "one metric, or none for the device as a whole"
    else:
        fits, wanted = count == 1, "one metric"
    if not fits or len(set(rule.metrics)) != count:
        named = ", ".join(rule.metrics) or "none"
        raise ValueError(f"metrics: a {kind_of(check)} rule takes {wanted}, not {named}")


def _check_lane(rule: Rule) -> None:
    check_fast(rule.check)
    if rule.persistence != Persistence():
        raise ValueError("lane: fast tells each breach, so it has no `persistence`")
    for name in ("learning", "schedule"):
        if getattr(rule, name) is not None:
            raise ValueError(f"lane: fast has no `{name}`: leave one of the two out")


def _check_silence(rule: Rule) -> None:
    if rule.persistence != Persistence():
        raise ValueError("persistence: silence has none; make `lasts` longer")
    if rule.connected_within is not None and not rule.metrics:
        raise ValueError(
            "connected_within: a device that says nothing at all is not connected; name a metric"
        )


def _check_product(scope: Scope) -> None:
    if scope.product is None or scope.device is None:
        return
    product = scope.device.partition(".")[0] if "." in scope.device else "default"
    if product != scope.product:
        raise ValueError(
            f"scope: device {scope.device!r} is of product {product}, not {scope.product}"
        )


def _check_hysteresis(rule: Rule) -> None:
    check, hysteresis = rule.check, rule.hysteresis
    if isinstance(check, Stuck | NoData) and hysteresis:
        raise ValueError(f"hysteresis: a {kind_of(check)} rule has none, it is over or it is not")
    most = _most_hysteresis(check)
    if most is not None and hysteresis >= most:
        raise ValueError(f"hysteresis: {hysteresis:g} must be below {most:g}, or nothing ends it")


def _most_hysteresis(check: Check) -> float | None:
    if isinstance(check, Range):
        return (check.high - check.low) / (2 if check.direction == "either" else 1)
    if isinstance(check, ZScore | Mad | Ewma | Seasonal):
        return check.deviations
    if isinstance(check, Detector | Several):
        return 0.5
    return None


@dataclass(frozen=True, slots=True)
class VersionedRule:
    """A rule as it is kept: its version, which counts its declarations, and whether it is on."""

    rule: Rule
    version: int = 1
    is_on: bool = False


def succeeding(before: VersionedRule | None, rule: Rule, is_on: bool | None) -> VersionedRule:
    """Return what a declaration makes of what is kept; `is_on` None leaves it as it is.

    A declaration that says what is there already gets no new version.
    """
    if before is None:
        return VersionedRule(rule, 1, bool(is_on))
    version = before.version if before.rule == rule else before.version + 1
    return VersionedRule(rule, version, before.is_on if is_on is None else is_on)
