"""What was found, as alerts and in words."""

import math
from dataclasses import replace
from datetime import date, timedelta

from detection.rules.batches import Found
from telemetry.alerts import Alert, alert_id
from telemetry.durations import format_duration
from telemetry.rules.checks import (
    Check,
    Detector,
    Ewma,
    Mad,
    Model,
    NoData,
    Rate,
    Ratio,
    Seasonal,
    Several,
    Stuck,
    ZScore,
)

Evidence = tuple[tuple[int, float], ...]
_FIRST_DAY = date(1970, 1, 1)
_PASTS = {ZScore: "mean", Mad: "median", Ewma: "mean", Seasonal: "in this slot of the week"}
_UNLIKE = {
    "series": "is {:.6g}, unlike anything in its own past",
    "stuck": "stands still at {:.6g} for longer than its own past explains",
}


def alert_of(found: Found, detected_at: int, evidence: Evidence = ()) -> Alert:
    """Return the alert; its id follows from rule, device, time and metric alone."""
    rule, source = found.kept.rule, found.source
    key = found.metric or ""
    if found.state == "resolved":
        key += ":resolved"
    deviation = found.value - found.baseline
    return Alert(
        id=alert_id(
            rule.name, found.kept.version, rule.tenant, source.series.device, found.time, key
        ),
        tenant=rule.tenant,
        rule=rule.name,
        rule_version=found.kept.version,
        state=found.state,
        severity=rule.severity,
        event_time=found.time,
        detected_at=detected_at,
        text=sentence(found),
        device=source.series.device,
        product=source.product,
        zone=source.zone,
        customer=source.customer,
        metric=found.metric,
        value=_known(found.value),
        bound=_known(found.bound),
        score=_known(found.score),
        baseline=_known(found.baseline),
        deviation=_known(deviation),
        baseline_version=_version(found),
        evidence=evidence,
    )


def still(found: Found, now: int) -> Alert:
    """Return the alert of an alarm that lasts, though nobody knows any more what it was of."""
    span = _span(max(0, now - found.since) / 1e6)
    text = f"{_subject(found)}: {found.kept.rule.name} has lasted for {span}"
    return replace(alert_of(found, now), text=text)


def _version(found: Found) -> str | None:
    if found.taught_by < 0:
        return None
    return (_FIRST_DAY + timedelta(days=found.taught_by)).isoformat()


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def sentence(found: Found) -> str:
    """Say what was found, so that a person knows what, where and against what."""
    subject = _subject(found)
    if found.state == "resolved":
        lasted = _span(max(0, found.time - found.since) / 1e6)
        now = f", now {_shown(found):.6g}" if _has_value(found) else ""
        return f"{subject}: {found.kept.rule.name} is over after {lasted}{now}"
    version = _version(found)
    stored = f" by the stored baseline of {version}" if version else ""
    return f"{subject} {_what(found)}{stored}{_persisted(found)}"


def _subject(found: Found) -> str:
    device, metric = found.source.series.device, found.metric
    return f"{metric} of {device}" if metric else device


def _shown(found: Found) -> float:
    is_scored = isinstance(found.kept.rule.check, Detector)
    return found.reading if is_scored else found.value


def _has_value(found: Found) -> bool:
    counts_seconds = isinstance(found.kept.rule.check, Stuck | NoData)
    return math.isfinite(found.value) and not counts_seconds


def _what(found: Found) -> str:
    check, value, bound = found.kept.rule.check, found.value, found.bound
    side = "above" if value > bound else "below"
    if isinstance(check, NoData):
        return f"has said nothing for {_span(value)}"
    if isinstance(check, Stuck):
        return f"has not changed for {_span(value)}, allowed are {check.lasts}"
    if isinstance(check, Detector):
        return (
            f"{_UNLIKE[check.detector].format(found.reading)}: {check.detector} scores {value:.3f}"
        )
    if isinstance(check, Several):
        return f"are together unlike what the device taught, score {value:.3f}"
    if isinstance(check, Model):
        return f"make model {check.model} answer {value:.6g}, {side} {bound:.6g}"
    if isinstance(check, Rate):
        faster = "rises" if value > 0 else "falls"
        return f"{faster} by {abs(value):.6g} in {check.per}, more than {abs(bound):.6g}"
    return f"is {value:.6g}, {side} {bound:.6g}{_usual(check, found)}"


def _usual(check: Check, found: Found) -> str:
    if isinstance(check, Ratio):
        usual = "of the last hour" if check.against == "hour" else _PASTS[Seasonal]
        return f", which is {check.ratio:.6g} of the usual {found.baseline:.6g} {usual}"
    if isinstance(check, ZScore | Mad | Ewma | Seasonal):
        times = check.deviations * found.score / max(1.0 - found.score, 1e-6)
        smoothed = " smoothed" if isinstance(check, Ewma) else ""
        return (
            f":{smoothed} {times:.1f} deviations from the usual {found.baseline:.6g}"
            f" {_PASTS[type(check)]}"
        )
    return ""


def _persisted(found: Found) -> str:
    k, n = found.kept.rule.persistence.k, found.kept.rule.persistence.n
    return "" if n == 1 else f" ({k} of the last {n} readings)"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = timedelta(minutes=round(seconds / 60))
    return format_duration(minutes) if seconds < 7200 else f"{seconds / 3600:.1f} h"
